import { setTimeout as wait } from 'node:timers/promises';
import { DEFAULT_LIMITS } from '@alga/contracts';
import { ROUTES } from '@alga/fixtures';
import type { Engine } from '../../../services/runner/src/engine/engine.ts';
import type { Execution } from '../../../services/runner/src/engine/outcome.ts';
import { type Figure, single } from '../figures.ts';
import type { Effort, Progress } from './effort.ts';
import { type BenchGuest, WORK } from './guests.ts';
import { executionOf, expectAnswer, openEngine } from './through.ts';

/** Calls of the neighbour begin this far apart, however long they take: a closed loop would hide a stall. */
const EVERY_MS = 3;
const CALLS_PER_SAMPLE = 5;
const SLOWER_AT_MOST = 2;
const RECOVERED_MS = 1_000;

const ATTACKS: Readonly<Record<string, { readonly url: string } & Partial<Pick<Execution, 'deadlineMs'>>>> = {
  'a loop': { url: ROUTES.loop, deadlineMs: 100 },
  'a loop of memory.fill': { url: ROUTES.fill, deadlineMs: 100 },
  'allocation without end': { url: ROUTES.allocate },
  recursion: { url: ROUTES.recurse },
  '100,000 aliasing headers': { url: ROUTES.alias(100_000) },
  'a million log calls': { url: ROUTES.chatty(1_000_000) },
  'a line of 5 MB': { url: ROUTES.longLine(5_000_000) },
  'a response of 8 MB': { url: ROUTES.enormous },
};

/** No attack: what a neighbour pays for a tenant that keeps one processor busy within its limits. */
const CONTROL = 'an honest tenant that computes';

/** What the calls of one tenant notice while another one attacks, over and over, with each kind of misbehaviour. */
export async function attackFigures(guest: BenchGuest, effort: Effort, progress: Progress): Promise<Figure[]> {
  const engine = openEngine();
  const calls = effort.fast * CALLS_PER_SAMPLE;
  try {
    await Promise.all(['attacker', 'neighbour'].map((tenantId) => answered(engine, guest, tenantId)));
    await neighbourP99(engine, guest, calls);
    const figures: Figure[] = [];
    for (const [name, attack] of Object.entries({ [CONTROL]: { url: ROUTES.compute(20_000_000) }, ...ATTACKS })) {
      progress(`a neighbour beside ${name}`);
      // Beside each other, so that the machine is the same: alone, attacked.
      const alone = await neighbourP99(engine, guest, calls);
      let over = false;
      const attacking = (async () => {
        for (; !over; )
          await engine.execute(
            executionOf(guest, attack.url, { tenantId: 'attacker', ...attack, limits: DEFAULT_LIMITS }),
          );
      })();
      const attacked = await neighbourP99(engine, guest, calls);
      over = true;
      await attacking;
      const ended = performance.now();
      await answered(engine, guest, 'attacker');
      const recovered = performance.now() - ended;
      figures.push(
        single(`neighbour's p99 beside ${name}, to alone`, 'x', attacked / alone, {
          ...(name === CONTROL ? {} : { target: SLOWER_AT_MOST }),
          note: `${alone.toFixed(2)} -> ${attacked.toFixed(2)} ms, ${calls} calls; the attacker answers after ${recovered.toFixed(0)} ms (<= ${RECOVERED_MS})`,
        }),
      );
    }
    return figures;
  } finally {
    await engine.close();
  }
}

async function answered(engine: Engine, guest: BenchGuest, tenantId: string): Promise<void> {
  expectAnswer(await engine.execute(executionOf(guest, WORK.plain, { tenantId })));
}

async function neighbourP99(engine: Engine, guest: BenchGuest, calls: number): Promise<number> {
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  const begun = performance.now();
  for (let call = 0; call < calls; call++) {
    const due = begun + call * EVERY_MS;
    const early = due - performance.now();
    if (early > 0) await wait(early);
    // From when it was due: what waits behind a stall has waited.
    pending.push(answered(engine, guest, 'neighbour').then(() => void times.push(performance.now() - due)));
  }
  await Promise.all(pending);
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? Number.NaN;
}
