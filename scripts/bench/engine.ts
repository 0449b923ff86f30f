import { cpus, loadavg } from 'node:os';
import { attackFigures } from './engine/attacks.ts';
import { callFigures } from './engine/calls.ts';
import type { Effort, Progress } from './engine/effort.ts';
import { firstCallFigures } from './engine/first-call.ts';
import { type BenchGuest, buildGuests, type GuestName } from './engine/guests.ts';
import { patchFigure } from './engine/inside.ts';
import { growthFigure, idleFigures, pooledFigure } from './engine/memory.ts';
import { peerFigures } from './engine/peers/peers.ts';
import { transpilePlainly } from './engine/plain.ts';
import { concurrencyFigure, deadlineFigures, floorFigure, openEngine } from './engine/through.ts';
import { type Figure, type Report, report, single } from './figures.ts';

/** Those whose calls are short enough that many of them take seconds. */
const GROWTH_GUESTS: readonly GuestName[] = ['C', 'QuickJS'];

/** The engine alone, without bus or services: what a request costs, what stops a guest, what a tenant costs. */
export async function benchEngine(progress: Progress, effort: Effort): Promise<Report> {
  const [load = 0] = loadavg();
  progress('building and transpiling the guests');
  const guests = await buildGuests();
  const plain = new Map<GuestName, ReadonlyMap<string, Uint8Array>>();
  for (const { name, component } of guests) plain.set(name, await transpilePlainly(component));
  const calls = await allCallFigures(guests, effort, progress);

  const patches: Figure[] = [];
  const first: Figure[] = [];
  for (const guest of guests) {
    progress(`${guest.name}: what the patch costs`);
    patches.push(await patchFigure(guest, plain.get(guest.name) ?? new Map(), effort));
    progress(`${guest.name}: first calls of tenants`);
    first.push(...(await firstCallFigures(guest, effort)));
  }
  progress('memory');
  const memory = await idleFigures();
  for (const guest of guests) memory.push(await pooledFigure(guest));
  for (const guest of guests) {
    if (GROWTH_GUESTS.includes(guest.name)) memory.push(await growthFigure(guest, effort, progress));
  }
  const [c] = guests.filter(({ name }) => name === 'C');
  const attacks = c === undefined ? [] : await attackFigures(c, effort, progress);
  progress('peers');
  const peers = await peerFigures(plain, calls.insideMs, effort);
  const before = single('load of the machine before', '', load, { note: `${cpus().length} cores` });
  return report('engine', [before, ...calls.figures, ...patches, ...first, ...memory, ...attacks, ...peers]);
}

/** What is about calls of tenants that have a process: in the order of the issue, the guests beside each other. */
async function allCallFigures(guests: readonly BenchGuest[], effort: Effort, progress: Progress) {
  const insideMs = new Map<GuestName, number>();
  const inside: Figure[] = [];
  const around: Figure[] = [await floorFigure(effort)];
  const waiting: Figure[] = [];
  for (const guest of guests) {
    const engine = openEngine();
    try {
      progress(`${guest.name}: reset and call, inside a sandbox and through the engine`);
      const figures = await callFigures(engine, guest, effort);
      inside.push(...figures.inside);
      around.push(...figures.around);
      insideMs.set(guest.name, figures.secretMs);
      progress(`${guest.name}: calls that wait, a loop among them`);
      waiting.push(await concurrencyFigure(engine, guest, effort), ...(await deadlineFigures(engine, guest, effort)));
    } finally {
      await engine.close();
    }
  }
  return { insideMs, figures: [...inside, ...around, ...waiting] };
}
