import { fileURLToPath } from 'node:url';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { sandboxFlags } from '../../../services/runner/src/engine/spawn.ts';
import { type Figure, median } from '../figures.ts';
import { Child } from './commands.ts';
import type { Effort } from './effort.ts';
import { type BenchGuest, type GuestName, requestOf, WORK } from './guests.ts';
import type { InsideCommands } from './inside-child.ts';
import { PLAIN_GLUE } from './plain.ts';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));
/** As main.ts of the runner sets it. */
const HEAP_MB = 256;
const PATCH_CPU_RATIO = 1.08;
/** Where V8 happens to put optimised code makes some percent either way, for as long as a process lives. */
const COMPUTE_RUNS = 3;
/** Rounds of /compute that take about 5 ms each. */
const COMPUTE_ROUNDS: Readonly<Record<GuestName, number>> = { C: 1_500_000, QuickJS: 30_000, StarlingMonkey: 30_000 };

/** A process with a sandbox's flags that measures in itself. It may read the repository: its sources lie there. */
export async function startInside(): Promise<Child<InsideCommands>> {
  const child = new Child<InsideCommands>(
    new URL('./inside-child.ts', import.meta.url),
    sandboxFlags(REPOSITORY, HEAP_MB),
  );
  await child.ask('open', { witPackage: WIT_PACKAGE, witVersion: WIT_VERSION, functions: HOST_FUNCTIONS });
  return child;
}

/** What the sandbox is given of an artifact. */
export const sourceOf = ({ artifact: { entry, files, modules, pool, sourceMap } }: BenchGuest) => ({
  entry,
  files,
  modules,
  reusable: pool.reusable,
  sourceMap,
});

/**
 * What the registry's patch costs a guest that computes: interruption checks, bulk operations in chunks, memory and interrupt
 * word imported. @param plain the same component, unpatched.
 */
export async function patchFigure(
  guest: BenchGuest,
  plain: ReadonlyMap<string, Uint8Array>,
  effort: Effort,
): Promise<Figure> {
  const { name } = guest;
  const ratios: number[] = [];
  for (let run = 0; run < COMPUTE_RUNS; run++) {
    ratios.push(...(await cpuRatios(guest, plain, Math.ceil(effort.fast / COMPUTE_RUNS))));
  }
  return median(`${name}: CPU with interruption checks / unpatched`, 'x', ratios, {
    target: PATCH_CPU_RATIO,
    note: `/compute, in ${COMPUTE_RUNS} processes`,
  });
}

async function cpuRatios(
  guest: BenchGuest,
  plain: ReadonlyMap<string, Uint8Array>,
  samples: number,
): Promise<number[]> {
  const child = await startInside();
  try {
    await child.ask('load', 'patched', sourceOf(guest));
    await child.ask('load', 'plain', { ...sourceOf(guest), entry: PLAIN_GLUE, files: plain });
    const request = requestOf(WORK.compute(COMPUTE_ROUNDS[guest.name]));
    return await child.ask('cpuRatios', 'patched', 'plain', request, samples);
  } finally {
    await child.end();
  }
}
