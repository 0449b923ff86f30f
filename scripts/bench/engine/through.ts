import { setTimeout as wait } from 'node:timers/promises';
import { DEFAULT_LIMITS } from '@alga/contracts';
import { createEngine, type Engine } from '../../../services/runner/src/engine/engine.ts';
import type { Execution, HostHandler, Outcome } from '../../../services/runner/src/engine/outcome.ts';
import { type Figure, median, single } from '../figures.ts';
import { Child } from './commands.ts';
import type { EchoCommands } from './echo-child.ts';
import type { Effort } from './effort.ts';
import { type BenchGuest, type GuestName, requestOf, WORK } from './guests.ts';

const WARM_UP = 200;
/** What a host import takes in the figures where calls wait for one. */
const HOST_MS = 50;
const CONCURRENT = 100;
const WARM_UP_ROUNDS = 2;
/** Rounds are shares of the slow samples. The target is for the engine that is small enough for so many instances. */
const CONCURRENCY: Readonly<Record<GuestName, { rounds: number; target?: number; note?: string }>> = {
  C: { rounds: 1 },
  QuickJS: { rounds: 1, target: 200 },
  StarlingMonkey: { rounds: 0.2, note: 'instances of 10 MB each: more than a pool keeps' },
};
const DEADLINE_MS = 100;
const OUTCOME_MS = 130;
/** Calls that are suspended while another one loops, and get their answer meanwhile. */
const NEIGHBOURS = 20;
const SECRET = 's3cr3t-value-of-a-key';
const FETCHED = { status: 200, headers: [], body: new Uint8Array() };

/** Answers secrets at once and fetches after 50 ms. */
const host: HostHandler = async ({ interface: name, function: fn }) => {
  if (name === 'http') {
    await wait(HOST_MS);
    return { ok: true, value: FETCHED };
  }
  return { ok: true, value: fn === 'get' ? SECRET : undefined };
};

/** Room for what is measured: nothing is refused or retired for want of memory in between. */
export function openEngine(maxSandboxes = 8): Engine {
  return createEngine({
    maxSandboxes,
    maxInFlightPerSandbox: 2 * CONCURRENT,
    idleMs: 600_000,
    heapMb: 256,
    sandboxMemoryMb: 4_096,
    totalMemoryMb: 8_192,
    onFault: ({ kind, ...fault }) => console.error(`engine: ${kind} ${JSON.stringify(fault)}`),
  });
}

export function executionOf(guest: BenchGuest, url: string, extra: Partial<Execution> = {}): Execution {
  return {
    tenantId: `tenant-${guest.name}`,
    installId: 'inst-1',
    artifact: guest.artifact,
    request: requestOf(url),
    host,
    onOutput: () => undefined,
    deadlineMs: 10_000,
    limits: DEFAULT_LIMITS,
    ...extra,
  };
}

/** @throws Error where the guest did not answer 200. */
export function expectAnswer(outcome: Outcome): void {
  if (outcome.kind !== 'response' || outcome.status !== 200) throw new Error(`ended as ${JSON.stringify(outcome)}`);
}

/** The least that a message to a process and its answer can take. */
export async function floorFigure(effort: Effort): Promise<Figure> {
  const child = new Child<EchoCommands>(new URL('./echo-child.ts', import.meta.url));
  try {
    const request = requestOf(WORK.plain);
    const times: number[] = [];
    for (let sample = -WARM_UP; sample < effort.fast; sample++) {
      const started = performance.now();
      await child.ask('echo', request);
      if (sample >= 0) times.push(performance.now() - started);
    }
    return median('floor: echo of a forked process', 'ms', times, {
      note: 'serialization: advanced, a request there and back',
    });
  } finally {
    await child.end();
  }
}

/** Many calls of one sandbox that wait for the host at the same time. */
export async function concurrencyFigure(engine: Engine, guest: BenchGuest, effort: Effort): Promise<Figure> {
  const { name } = guest;
  const { rounds, ...extra } = CONCURRENCY[name];
  const times: number[] = [];
  for (let round = -WARM_UP_ROUNDS; round < effort.slow * rounds; round++) {
    const started = performance.now();
    const calls = Array.from({ length: CONCURRENT }, () => engine.execute(executionOf(guest, WORK.wait)));
    for (const outcome of await Promise.all(calls)) expectAnswer(outcome);
    if (round >= 0) times.push(performance.now() - started);
  }
  return median(`${name}: ${CONCURRENT} calls that wait ${HOST_MS} ms, one sandbox`, 'ms', times, extra);
}

/** A loop among calls that wait: when it is over, and what becomes of the others. */
export async function deadlineFigures(engine: Engine, guest: BenchGuest, effort: Effort): Promise<Figure[]> {
  const times: number[] = [];
  const free: number[] = [];
  let completed = 0;
  for (let round = 0; round < effort.slow; round++) {
    const gate = openGate(NEIGHBOURS);
    const neighbours = Array.from({ length: NEIGHBOURS }, () =>
      engine.execute(executionOf(guest, WORK.wait, { host: gate.host })),
    );
    await gate.allWait;
    const started = performance.now();
    const first = Promise.race(neighbours).then(() => free.push(performance.now() - started));
    const loop = engine.execute(executionOf(guest, WORK.loop, { deadlineMs: DEADLINE_MS }));
    await wait(DEADLINE_MS / 2);
    gate.open();
    const { kind } = await loop;
    times.push(performance.now() - started);
    if (kind !== 'timeout') throw new Error(`a loop ended as ${kind}`);
    const ends = await Promise.all(neighbours);
    completed += ends.filter((end) => end.kind === 'response' && end.status === 200).length;
    await first;
  }
  const all = NEIGHBOURS * effort.slow;
  const { name } = guest;
  return [
    median(`${name}: deadline of ${DEADLINE_MS} ms on a loop, to the outcome`, 'ms', times, { target: OUTCOME_MS }),
    median(`${name}: the same, to the next turn of a neighbour`, 'ms', free),
    single(`${name}: suspended neighbours that complete`, '%', (completed / all) * 100, {
      target: 100,
      bound: 'at least',
      note: `${completed} of ${all}, answered while the loop runs`,
    }),
  ];
}

/** A host that answers nobody before it is told to, and says when `calls` of them wait. */
function openGate(calls: number) {
  const opened = Promise.withResolvers<void>();
  const allWait = Promise.withResolvers<void>();
  let waiting = 0;
  const host: HostHandler = async () => {
    waiting += 1;
    if (waiting === calls) allWait.resolve();
    await opened.promise;
    return { ok: true, value: FETCHED };
  };
  return { host, allWait: allWait.promise, open: () => opened.resolve() };
}
