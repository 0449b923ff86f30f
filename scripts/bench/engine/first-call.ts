import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { DEFAULT_LIMITS, HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { probeConfinement } from '../../../services/runner/src/engine/confinement.ts';
import { prepareSandboxProgram } from '../../../services/runner/src/engine/program.ts';
import { spawnSandbox } from '../../../services/runner/src/engine/spawn.ts';
import type { FromSandbox, ToSandbox } from '../../../services/runner/src/sandbox/protocol.ts';
import { type Figure, median } from '../figures.ts';
import type { Effort } from './effort.ts';
import { type BenchGuest, type GuestName, requestOf, WORK } from './guests.ts';
import { sourceOf, startInside } from './inside.ts';
import { executionOf, expectAnswer, openEngine } from './through.ts';

/** First call of a tenant on a warm runner, ms. */
const TARGETS: ReadonlyMap<GuestName, number> = new Map([
  ['QuickJS', 120],
  ['StarlingMonkey', 250],
]);
/** A spare process has started by then. */
const SPARE_MS = 250;
/** The tenant of the sample before is retired for the one of the next. */
const TENANTS = 2;
const PAGES_PER_MIB = 16;

/** The call that makes a tenant's process, or takes the spare one, and where its time goes. Guests without a target: none. */
export async function firstCallFigures(guest: BenchGuest, effort: Effort): Promise<Figure[]> {
  const { name } = guest;
  const target = TARGETS.get(name);
  if (target === undefined) return [];
  const bare = await firstCalls(guest, effort, false);
  const spare = await firstCalls(guest, effort, true);
  const phases = await phasesOf(guest, effort);
  const share = (label: string, samples: readonly number[], note: string) =>
    median(`${name}: first call, ${label}`, 'ms', samples, { note });
  return [
    median(`${name}: first call of a tenant`, 'ms', bare, { target, note: 'no spare process' }),
    median(`${name}: first call of a tenant, spare ready`, 'ms', spare, { target }),
    share('fork', phases.fork, 'until fork() returns, the parent is blocked'),
    share('boot', phases.boot, 'from there to the ready message'),
    share('transfer', phases.transfer, 'load message to loaded message, less compile and glue'),
    share('compile', phases.compile, 'in a bench process with the same flags'),
    share('glue', phases.glue, 'as compile: evaluated in its realm'),
    share('instantiate', phases.instantiate, 'as compile: the first in the process'),
    share('call', phases.call, 'as compile: the first in the process'),
    share('run message to finished message', phases.run, 'instantiate and call as the parent sees them'),
  ];
}

async function firstCalls(guest: BenchGuest, effort: Effort, spare: boolean): Promise<number[]> {
  const times: number[] = [];
  // With a spare, one engine goes through many tenants; without one, each engine has one.
  let engine = openEngine(TENANTS);
  try {
    if (spare) expectAnswer(await engine.execute(executionOf(guest, WORK.plain)));
    for (let sample = 0; sample < effort.slow; sample++) {
      if (spare) await wait(SPARE_MS);
      const started = performance.now();
      expectAnswer(await engine.execute(executionOf(guest, WORK.plain, { tenantId: `tenant-${sample}` })));
      times.push(performance.now() - started);
      if (spare) continue;
      await engine.close();
      engine = openEngine(TENANTS);
    }
  } finally {
    await engine.close();
  }
  return times;
}

async function phasesOf(guest: BenchGuest, effort: Effort) {
  const program = prepareSandboxProgram();
  const confinement = probeConfinement();
  const all: Awaited<ReturnType<typeof phases>>[] = [];
  for (let index = 0; index < effort.slow; index++) {
    const spawn = () => spawnSandbox(program, { heapMb: 256, memoryMb: 4_096, confinement, index });
    all.push(await phases(guest, spawn));
  }
  const of = (phase: keyof (typeof all)[number]) => all.map((sample) => sample[phase]);
  return {
    fork: of('fork'),
    boot: of('boot'),
    transfer: of('transfer'),
    compile: of('compile'),
    glue: of('glue'),
    instantiate: of('instantiate'),
    call: of('call'),
    run: of('run'),
  };
}

/** Speaks to a sandbox as the engine does, and notes when it answers. */
async function phases(guest: BenchGuest, spawn: () => ChildProcess) {
  const source = sourceOf(guest);
  const begun = performance.now();
  const sandbox = spawn();
  const forked = performance.now();
  const exited = new Promise<void>((resolve) => sandbox.once('exit', () => resolve()));
  const said = (type: FromSandbox['type']) =>
    new Promise<void>((resolve, reject) => {
      sandbox.once('message', (message: FromSandbox) =>
        message.type === type ? resolve() : reject(new Error(`the sandbox said ${JSON.stringify(message)}`)),
      );
      void exited.then(() => reject(new Error('the sandbox ended')));
    });
  const tell = (message: ToSandbox) => void sandbox.send(message);
  try {
    const ready = said('ready');
    tell({ type: 'init', witPackage: WIT_PACKAGE, witVersion: WIT_VERSION, functions: HOST_FUNCTIONS });
    await ready;
    const booted = performance.now();
    const hasLoaded = said('loaded');
    tell({ type: 'load', artifact: 'bench', ...source });
    await hasLoaded;
    const loaded = performance.now();
    const hasFinished = said('finished');
    const { memoryMb, cpuMs, liftedBytes, logBytes } = DEFAULT_LIMITS;
    const limits = { wallMs: 10_000, cpuMs, liftedBytes, outputChars: logBytes };
    const request = requestOf(WORK.plain);
    const memoryPages = memoryMb * PAGES_PER_MIB;
    tell({ type: 'run', call: 1, artifact: 'bench', pool: 'inst-1', memoryPages, limits, request });
    await hasFinished;
    const finished = performance.now();
    const inside = await insideOf(guest);
    return {
      ...inside,
      fork: forked - begun,
      boot: booted - forked,
      transfer: loaded - booted - inside.compile - inside.glue,
      run: finished - loaded,
    };
  } finally {
    sandbox.kill('SIGKILL');
    await exited;
  }
}

async function insideOf(guest: BenchGuest) {
  const child = await startInside();
  try {
    return await child.ask('firstCall', sourceOf(guest), requestOf(WORK.plain));
  } finally {
    await child.end();
  }
}
