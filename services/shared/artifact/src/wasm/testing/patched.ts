// Runs a module as it was, and patched as the runner does: with a memory and an interrupt word from outside.
import { scanModule } from '../component.ts';
import { type PatchedModule, patchModule } from '../patch.ts';
import { type Exports, type Memory, v8 } from './v8.ts';

export type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface Running {
  readonly exports: Exports;
  /** Undefined where the module has none of its own. */
  readonly memory: Memory | undefined;
  /** Negative: the guest is to stop. */
  readonly word: Int32Array;
}

/** @throws Error with the refusal's message. */
export function patch(bytes: Uint8Array): PatchedModule {
  const scanned = scanModule(bytes);
  if (!scanned.ok) throw new Error(scanned.message);
  return patchModule(scanned.module);
}

export function interruptMemory(): Memory {
  return new v8.Memory({ initial: 1, maximum: 1, shared: true });
}

export function runPatched(bytes: Uint8Array, imports: Imports = {}, interrupt: Memory = interruptMemory()): Running {
  const { bytes: code, memory: pages } = patch(bytes);
  const memory = pages === null ? undefined : new v8.Memory({ initial: pages.minPages, maximum: pages.maxPages });
  const { exports } = new v8.Instance(new v8.Module(code), { ...imports, 'alga:rt': { memory, interrupt } });
  return { exports, memory, word: new Int32Array(interrupt.buffer) };
}

/** The module must export its memory as `memory`. */
export function runOriginal(bytes: Uint8Array, imports: Imports = {}): Omit<Running, 'word'> {
  const { exports } = new v8.Instance(new v8.Module(bytes), imports);
  return { exports, memory: exports.memory as Memory | undefined };
}

export type Outcome = { readonly result: unknown } | { readonly trap: string };

/** What a call comes to. Traps compare by V8's message, which names the kind. */
export function outcomeOf(exports: Exports, name: string, ...args: readonly unknown[]): Outcome {
  try {
    return { result: (exports[name] as (...args: readonly unknown[]) => unknown)(...args) };
  } catch (error) {
    if (error instanceof v8.RuntimeError) return { trap: error.message };
    throw error;
  }
}

export const INTERRUPTED: Outcome = { trap: 'unreachable' };
