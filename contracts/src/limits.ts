import { readFileSync } from 'node:fs';
import type { Limits, RequestedLimits } from './generated/types.ts';

interface Range {
  readonly minimum: number;
  readonly maximum: number;
}

const SCHEMA = new URL('../schemas/v1/common.schema.json', import.meta.url);

/** What a manifest may ask for: the schema's numbers, which are written nowhere else. */
export const LIMIT_RANGES: Readonly<Record<keyof Limits, Range>> = JSON.parse(readFileSync(SCHEMA, 'utf8')).$defs
  .requestedLimits.properties;

/**
 * Room for a StarlingMonkey guest (about 10 MiB at rest) and a call that most webhooks fit in. Processor time is half of the
 * wall time: who waits for others uses little, who does not is stopped sooner. Lifted: the largest response four times over.
 */
export const DEFAULT_LIMITS: Limits = {
  timeoutMs: 10_000,
  cpuMs: 5_000,
  memoryMb: 64,
  hostCalls: 1_000,
  logBytes: 65_536,
  responseBytes: LIMIT_RANGES.responseBytes.maximum,
  liftedBytes: 4_194_304,
};

/** What a version asks for, with the defaults filled in. Processor time cannot outlast the wall time. */
export function resolveLimits(requested: RequestedLimits = {}): Limits {
  const limits = { ...DEFAULT_LIMITS, ...requested };
  return { ...limits, cpuMs: Math.min(limits.cpuMs, limits.timeoutMs) };
}
