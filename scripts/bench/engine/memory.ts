import { once } from 'node:events';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { probeConfinement } from '../../../services/runner/src/engine/confinement.ts';
import { prepareSandboxProgram } from '../../../services/runner/src/engine/program.ts';
import { spawnSandbox } from '../../../services/runner/src/engine/spawn.ts';
import { type Figure, single } from '../figures.ts';
import { proportionalKib, residentKib } from '../processes.ts';
import type { Effort, Progress } from './effort.ts';
import { type BenchGuest, requestOf, WORK } from './guests.ts';
import { sourceOf, startInside } from './inside.ts';
import { executionOf, expectAnswer, openEngine } from './through.ts';

/** As many as a pool keeps at rest (sandbox/pool.ts). */
const POOLED = 16;
/** Callers of the calls across which memory must not grow. */
const CALLERS = 4;
const MEASUREMENTS = 5;
/** V8 has let its heap grow to what it likes by the second measurement. */
const SETTLED = 1;
/** What a collector may leave lying about. Of 30,000 calls, a leak of 150 bytes each would come to more. */
const NO_GROWTH_MIB = 4;
/** With fewer it has not settled, and the figure has no target. */
const CALLS_TO_SETTLE = 20_000;

const MIB = 1_024;

/** A sandbox that has started and runs nothing. */
export async function idleFigures(): Promise<Figure[]> {
  const program = prepareSandboxProgram();
  const options = { heapMb: 256, memoryMb: 4_096, confinement: probeConfinement(), index: 0 };
  const sandbox = spawnSandbox(program, options);
  try {
    sandbox.send({ type: 'init', witPackage: WIT_PACKAGE, witVersion: WIT_VERSION, functions: HOST_FUNCTIONS });
    await once(sandbox, 'message');
    const pid = sandbox.pid ?? 0;
    return [
      single('idle sandbox, PSS', 'MiB', proportionalKib(pid) / MIB, { note: 'shared pages in part' }),
      single('idle sandbox, RSS', 'MiB', residentKib(pid) / MIB),
    ];
  } finally {
    sandbox.kill('SIGKILL');
    await once(sandbox, 'exit');
  }
}

/** What an instance costs that has served a call and rests. */
export async function pooledFigure(guest: BenchGuest): Promise<Figure> {
  const child = await startInside();
  try {
    await child.ask('load', guest.name, sourceOf(guest));
    // The first brings its component's lazily compiled code and the bytes that all the others share.
    await child.ask('hold', guest.name, requestOf(WORK.plain), 1);
    const before = proportionalKib(child.pid);
    await child.ask('hold', guest.name, requestOf(WORK.plain), POOLED);
    const each = (proportionalKib(child.pid) - before) / POOLED / MIB;
    return single(`${guest.name}: per pooled instance, PSS`, 'MiB', each, { note: `of ${POOLED} at rest` });
  } finally {
    await child.end();
  }
}

/** Resident memory of a sandbox across many calls. */
export async function growthFigure(guest: BenchGuest, effort: Effort, progress: Progress): Promise<Figure> {
  const engine = openEngine();
  const resident: number[] = [];
  const share = effort.calls / MEASUREMENTS;
  try {
    for (let measurement = 0; measurement < MEASUREMENTS; measurement++) {
      const caller = async () => {
        for (let call = 0; call < share / CALLERS; call++) {
          expectAnswer(await engine.execute(executionOf(guest, WORK.secret)));
        }
      };
      await Promise.all(Array.from({ length: CALLERS }, caller));
      const [sandbox] = engine.stats().sandboxes;
      resident.push(residentKib(sandbox?.pid ?? 0) / MIB);
      progress(`${guest.name}: ${(measurement + 1) * share} calls, ${resident.at(-1)?.toFixed(0)} MiB`);
    }
  } finally {
    await engine.close();
  }
  const growth = (resident.at(-1) ?? 0) - (resident[SETTLED] ?? 0);
  const from = (SETTLED + 1) * share;
  return single(`${guest.name}: growth from ${from} to ${effort.calls} calls, RSS`, 'MiB', growth, {
    ...(from >= CALLS_TO_SETTLE ? { target: NO_GROWTH_MIB } : {}),
    note: `${resident.map((mib) => mib.toFixed(1)).join(', ')} MiB`,
  });
}
