import type { Engine } from '../../../services/runner/src/engine/engine.ts';
import { type Figure, median, medianOf, single } from '../figures.ts';
import type { Child } from './commands.ts';
import type { Effort } from './effort.ts';
import { type BenchGuest, type GuestName, requestOf, WORK } from './guests.ts';
import { sourceOf, startInside } from './inside.ts';
import type { InsideCommands } from './inside-child.ts';
import { executionOf, expectAnswer } from './through.ts';

/** Reset and call, ms. */
const TARGETS: Readonly<Record<GuestName, number>> = { C: 0.1, QuickJS: 0.4, StarlingMonkey: 1.4 };
const FASTER_THAN_FRESH = 4;
/** What the process boundary may add, ms. */
const AROUND = { plain: 0.25, secret: 0.45 };
/** Samples in a row of one kind. The kinds take turns, so that what disturbs the machine meets all of them. */
const BLOCK = 30;
const WARM_UP = 200;

interface Blocks {
  readonly reset: number[];
  readonly call: number[];
  /** Reset and call. */
  readonly inside: number[];
  readonly fresh: number[];
  readonly engine: number[];
  /** By block: the median of `engine` less that of `inside`. */
  readonly around: number[];
}

/** One guest's calls: reset and call inside a sandbox, a fresh instance beside it, and the same through the engine. */
export async function callFigures(engine: Engine, guest: BenchGuest, effort: Effort) {
  const { name } = guest;
  const child = await startInside();
  try {
    await child.ask('load', name, sourceOf(guest));
    const plain = await measure(engine, child, guest, WORK.plain, effort);
    const secret = await measure(engine, child, guest, WORK.secret, effort);
    const ratio = medianOf(plain.fresh) / medianOf(plain.inside);
    const inside: Figure[] = [
      median(`${name}: reset + call, inside`, 'ms', plain.inside, { target: TARGETS[name] }),
      median(`${name}: reset alone`, 'ms', plain.reset),
      median(`${name}: call alone`, 'ms', plain.call),
      median(`${name}: reset + call with one secret, inside`, 'ms', secret.inside),
      median(`${name}: fresh instance + call, inside`, 'ms', plain.fresh, { note: 'in turns with reset + call' }),
      single(`${name}: fresh / reset`, 'x', ratio, { target: FASTER_THAN_FRESH, bound: 'at least' }),
    ];
    const note = `blocks of ${BLOCK} calls`;
    const around: Figure[] = [
      median(`${name}: engine.execute, no host call`, 'ms', plain.engine),
      median(`${name}: process boundary around it, no host call`, 'ms', plain.around, { target: AROUND.plain, note }),
      median(`${name}: engine.execute, one secret`, 'ms', secret.engine),
      median(`${name}: process boundary around it, one secret`, 'ms', secret.around, { target: AROUND.secret, note }),
    ];
    return { inside, around, secretMs: medianOf(secret.inside) };
  } finally {
    await child.end();
  }
}

async function measure(engine: Engine, child: Child<InsideCommands>, guest: BenchGuest, url: string, effort: Effort) {
  const { name } = guest;
  const request = requestOf(url);
  await child.ask('resetCalls', name, request, WARM_UP);
  await child.ask('freshCalls', name, request, BLOCK);
  await executions(engine, guest, url, WARM_UP);
  const blocks: Blocks = { reset: [], call: [], inside: [], fresh: [], engine: [], around: [] };
  for (let done = 0; done < effort.fast; done += BLOCK) {
    const samples = await child.ask('resetCalls', name, request, BLOCK);
    const inside = samples.map(({ resetMs, callMs }) => resetMs + callMs);
    const through = await executions(engine, guest, url, BLOCK);
    blocks.reset.push(...samples.map(({ resetMs }) => resetMs));
    blocks.call.push(...samples.map(({ callMs }) => callMs));
    blocks.inside.push(...inside);
    blocks.engine.push(...through);
    blocks.around.push(medianOf(through) - medianOf(inside));
    blocks.fresh.push(...(await child.ask('freshCalls', name, request, BLOCK)));
  }
  return blocks;
}

async function executions(engine: Engine, guest: BenchGuest, url: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    expectAnswer(await engine.execute(executionOf(guest, url)));
    times.push(performance.now() - started);
  }
  return times;
}
