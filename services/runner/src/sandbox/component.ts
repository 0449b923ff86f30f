import { type CallHost, hostImports, type ImportNames } from './host-imports.ts';
import { capMemories } from './memory-cap.ts';
import type { GuestRequest } from './protocol.ts';
import type { Glue } from './realm.ts';
import { evaluateGlue } from './realm.ts';

const PAGE_BYTES = 65_536;
/** A trap this close to the limit is taken for exhaustion: allocators ask for more than what is left. A guess, for the report only. */
const NEAR_LIMIT_PAGES = 64;

/** How one call ended. `trap` is V8's fixed text for it, or empty where the failure was not a trap. */
export type CallEnd =
  | { readonly kind: 'finished'; readonly response: unknown }
  | { readonly kind: 'failed'; readonly reason: 'trap' | 'out_of_memory'; readonly message: string };

/** A component that is compiled and ready for calls. Each call gets a state that no other call has touched (I4). */
export interface Component {
  /** @param unwind rejects to throw the guest out of the host call that it is suspended in. */
  call(request: GuestRequest, callHost: CallHost, unwind: Promise<never>): Promise<CallEnd>;
}

interface ComponentSource {
  readonly entry: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly maxPages: number;
}

/** Compiles the core modules once and evaluates the glue. Throws where either is not what the registry produces. */
export async function loadComponent(source: ComponentSource, names: ImportNames): Promise<Component> {
  const glueBytes = source.files.get(source.entry);
  if (glueBytes === undefined) throw new Error('the entry is missing');
  const modules = new Map<string, WebAssembly.Module>();
  for (const [name, bytes] of source.files) {
    if (name.endsWith('.wasm')) {
      const capped = capMemories(bytes, source.maxPages);
      // Synchronous and lazy: the asynchronous compiler never settled in some settings (measured).
      modules.set(name, new WebAssembly.Module(capped));
    }
  }
  const glue = await evaluateGlue(new TextDecoder('utf-8', { fatal: true }).decode(glueBytes), source.entry);
  return {
    call: (request, callHost, unwind) =>
      callFresh({ glue, modules, maxPages: source.maxPages }, request, hostImports(names, callHost), unwind),
  };
}

interface Compiled {
  readonly glue: Glue;
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
  readonly maxPages: number;
}

// A fresh instance per call keeps I4 by construction.
async function callFresh(
  { glue, modules, maxPages }: Compiled,
  request: GuestRequest,
  imports: Readonly<Record<string, object>>,
  unwind: Promise<never>,
): Promise<CallEnd> {
  const memories: WebAssembly.Memory[] = [];
  try {
    const instance = await glue.instantiate(
      unwind,
      (name) => {
        const module = modules.get(name);
        if (module === undefined) throw new Error('the glue asks for a module that the artifact does not have');
        return module;
      },
      imports,
      (module, coreImports) => {
        const core = new WebAssembly.Instance(module, coreImports);
        for (const exported of Object.values(core.exports)) {
          if (exported instanceof WebAssembly.Memory) memories.push(exported);
        }
        return core;
      },
    );
    return { kind: 'finished', response: await instance.handler(request) };
  } catch (error) {
    const exhausted = memories.some((memory) => memory.buffer.byteLength >= (maxPages - NEAR_LIMIT_PAGES) * PAGE_BYTES);
    return { kind: 'failed', reason: exhausted ? 'out_of_memory' : 'trap', message: trapText(error) };
  }
}

// Only V8's own texts: any other message could hold what the guest was working on (I3).
function trapText(error: unknown): string {
  if (error instanceof WebAssembly.RuntimeError) return error.message;
  return error instanceof RangeError ? 'stack or memory exhausted' : '';
}
