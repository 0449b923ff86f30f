// Glue is evaluated in a realm of its own: no process, no require, no import, no timers of Node's, no code generation
// from strings. The permission model stands behind it, so an escape from here finds a process
// that can read, open and start nothing.
import { constants, createContext, SourceTextModule } from 'node:vm';

/** What jco's glue exports. `imports` maps interface names to objects of async functions. */
interface GlueModule {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: Readonly<Record<string, object>>,
    instantiateCore: (module: WebAssembly.Module, imports: WebAssembly.Imports) => WebAssembly.Instance,
  ): Promise<{ handler(request: unknown): Promise<unknown> }>;
}

/** Glue of one artifact. */
export interface Glue {
  /** `unwind` rejects when the guest is to be thrown out of whatever host call it is suspended in. */
  instantiate(
    unwind: Promise<never>,
    ...parameters: Parameters<GlueModule['instantiate']>
  ): ReturnType<GlueModule['instantiate']>;
}

/** Evaluates glue source. Throws whatever the source throws, and where it imports anything. */
export async function evaluateGlue(source: string, name: string): Promise<Glue> {
  const realm = createContext(constants.DONT_CONTEXTIFY, { codeGeneration: { strings: false, wasm: true } });
  const silent = Object.freeze({ __proto__: null, error: noop, log: noop, warn: noop, info: noop, debug: noop });
  define(realm, {
    TextDecoder,
    TextEncoder,
    queueMicrotask: (task: () => void) => queueMicrotask(task),
    // jco uses it to yield between tasks only; a handle would be a host object that the glue could reach into.
    setTimeout: (task: () => void, ms: number) => void setTimeout(task, ms),
    // V8's own console would otherwise print what the guest says (I3).
    console: silent,
  });
  const suspending = unwindableSuspending((realm as { WebAssembly: SuspendingHolder }).WebAssembly);
  const module = new SourceTextModule(source, {
    context: realm,
    identifier: name,
    importModuleDynamically: refuseImport,
  });
  await module.link(refuseImport);
  await module.evaluate();
  const glue = module.namespace as unknown as GlueModule;
  return {
    instantiate: (unwind, ...parameters) => suspending.during(unwind, () => glue.instantiate(...parameters)),
  };
}

type AnyAsync = (...args: unknown[]) => unknown;

interface SuspendingHolder {
  Suspending: new (fn: AnyAsync) => object;
}

// Where an import without a WIT result rejects, jco 1.35 leaves the guest suspended for ever, and V8 never frees its
// stack (measured: 5 MB each). So the rejection is handed to V8 here, beneath the glue, and unwinds the guest.
function unwindableSuspending(webAssembly: SuspendingHolder): {
  during<T>(unwind: Promise<never>, run: () => T): T;
} {
  const Native = webAssembly.Suspending;
  let current: Promise<never> | undefined;
  webAssembly.Suspending = class {
    constructor(fn: AnyAsync) {
      const unwind = current;
      // The glue makes its imports in the synchronous part of `instantiate`.
      if (unwind === undefined) throw new Error('an import was made outside an instantiation');
      // biome-ignore lint/correctness/noConstructorReturn: the glue must get V8's own object.
      return new Native((...args) => Promise.race([fn(...args), unwind]));
    }
  };
  return {
    during: (unwind, run) => {
      current = unwind;
      try {
        return run();
      } finally {
        current = undefined;
      }
    },
  };
}

function define(realm: object, globals: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(realm, name, { value, writable: false, configurable: false, enumerable: false });
  }
}

function refuseImport(): never {
  throw new Error('glue imports nothing');
}

function noop(): void {
  // Nothing that a guest prints leaves the sandbox.
}
