// Glue is evaluated in a realm of its own: no process, no require, no import, no timers of Node's, no code generation
// from strings. The permission model stands behind it, so an escape from here finds a process
// that can read, open and start nothing.
import { constants, createContext, SourceTextModule } from 'node:vm';
import { type Charge, chargePushes, chargeSlices, chargingDecoder } from './lifting.ts';

/** The state that an instance's glue keeps between calls, which `restore` puts back. */
interface GlueState {
  /** Remembers the state as it is now. */
  save(): void;
  /** False: it cannot be put back, since the guest left resource handles open. */
  restore(): boolean;
}

interface GlueInstance {
  handler(request: unknown): Promise<unknown>;
  readonly state: GlueState;
}

/** Glue of one artifact. `imports` maps interface names to objects of functions. */
export interface Glue {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: Readonly<Record<string, object>>,
    instantiateCore: (module: WebAssembly.Module, imports?: WebAssembly.Imports) => WebAssembly.Instance,
  ): GlueInstance | Promise<GlueInstance>;
  /** Makes a memory whose buffers belong to the glue's realm. */
  createMemory(descriptor: WebAssembly.MemoryDescriptor): WebAssembly.Memory;
}

interface RealmParts {
  readonly charge: Charge;
  readonly isHandle: (value: unknown) => boolean;
  /** What holds the guest of the running call until the host has answered. */
  readonly suspender: () => (answer: Promise<unknown>) => Promise<unknown>;
  /** As `setTimeout`; the task belongs to the call that set it. */
  readonly later: (task: () => void, ms: number) => void;
}

/** Evaluates glue source. Throws whatever the source throws, and where it imports anything. */
export async function evaluateGlue(source: string, name: string, parts: RealmParts): Promise<Glue> {
  const realm = createContext(constants.DONT_CONTEXTIFY, { codeGeneration: { strings: false, wasm: true } }) as Realm;
  const silent = Object.freeze({ __proto__: null, error: noop, log: noop, warn: noop, info: noop, debug: noop });
  define(realm, {
    TextDecoder: chargingDecoder(parts.charge),
    TextEncoder,
    queueMicrotask: (task: () => void) => queueMicrotask(task),
    // jco uses it to yield between tasks only; a handle would be a host object that the glue could reach into.
    setTimeout: (task: () => void, ms: number) => parts.later(task, ms),
    // V8's own console would otherwise print what the guest says (I3).
    console: silent,
  });
  chargeSlices(realm.ArrayBuffer.prototype, parts.charge);
  chargePushes(realm.Array.prototype, parts.isHandle, parts.charge);
  suspendThrough(realm.WebAssembly, parts.suspender);
  const module = new SourceTextModule(source, {
    context: realm,
    identifier: name,
    importModuleDynamically: refuseImport,
  });
  await module.link(refuseImport);
  await module.evaluate();
  const { instantiate } = module.namespace as unknown as Glue;
  return { instantiate, createMemory: (descriptor) => new realm.WebAssembly.Memory(descriptor) };
}

type AnyAsync = (...args: unknown[]) => unknown;

interface Realm {
  readonly Array: { readonly prototype: unknown[] };
  readonly ArrayBuffer: { readonly prototype: ArrayBuffer };
  readonly WebAssembly: SuspendingHolder & { readonly Memory: typeof WebAssembly.Memory };
}

interface SuspendingHolder {
  Suspending: new (fn: AnyAsync) => object;
}

// Where an import without a WIT result rejects, jco 1.35 leaves the guest suspended for ever, and V8 never frees its
// stack (measured: 5 MB each). So what V8 waits for is made here, beneath the glue.
function suspendThrough(webAssembly: SuspendingHolder, suspender: RealmParts['suspender']): void {
  const Native = webAssembly.Suspending;
  webAssembly.Suspending = class {
    constructor(fn: AnyAsync) {
      // biome-ignore lint/correctness/noConstructorReturn: the glue must get V8's own object.
      return new Native((...args) => {
        // Before the host is asked, which ends the guest's turn.
        const suspend = suspender();
        const answer = fn(...args);
        // A function that need not wait stays synchronous.
        return isThenable(answer) ? suspend(answer) : answer;
      });
    }
  };
}

// `instanceof` would ask about this realm.
function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value;
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
  // Nothing that the glue prints leaves the sandbox.
}
