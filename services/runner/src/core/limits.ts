import type { Limits } from '@alga/contracts';

/** What the operator of this runner allows, whatever a version was published with. */
export type Ceilings = Pick<Limits, 'timeoutMs' | 'cpuMs' | 'memoryMb'>;

/** The limits of one call: the envelope's, none above its ceiling, and no more processor time than wall time. */
export function limitsOfCall(claimed: Limits, ceilings: Ceilings): Limits {
  const timeoutMs = Math.min(claimed.timeoutMs, ceilings.timeoutMs);
  return {
    ...claimed,
    timeoutMs,
    cpuMs: Math.min(claimed.cpuMs, ceilings.cpuMs, timeoutMs),
    memoryMb: Math.min(claimed.memoryMb, ceilings.memoryMb),
  };
}
