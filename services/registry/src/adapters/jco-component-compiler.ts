import { transpileComponent } from '@alga/artifact';
import type { ComponentCompiler } from '../ports/component-compiler.ts';

/** A 12 MB component takes 1.3 s on an idle machine with two cores. */
const DEADLINE_MS = 30_000;
const MAX_MEMORY_MB = 512;

/** Compiles with jco, each component in a disposable child process. */
export const jcoComponentCompiler: ComponentCompiler = {
  async compile(component) {
    const result = await transpileComponent(component, { deadlineMs: DEADLINE_MS, maxMemoryMb: MAX_MEMORY_MB });
    return result.ok ? result : { ok: false, reason: result.message };
  },
};
