import { transpileComponent } from '@alga/artifact';
import type { ComponentCompiler } from '../ports/component-compiler.ts';

/** A 12 MB component takes 2 to 3 s on an idle machine with two cores. */
const DEADLINE_MS = 30_000;
/** Of the child altogether: such a component takes 400. */
const MAX_MEMORY_MB = 1_024;

/** Scans, transpiles and patches, each component in a disposable child process. */
export const jcoComponentCompiler: ComponentCompiler = {
  async compile(component, runtime, begin) {
    const limits = { deadlineMs: DEADLINE_MS, maxMemoryMb: MAX_MEMORY_MB };
    const result = await transpileComponent(component, { ...limits, runtime, onStage: begin });
    return result.ok ? result : { ok: false, reason: result.message };
  },
};
