import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Figure, median, single } from '../../figures.ts';
import { Child } from '../commands.ts';
import type { Effort } from '../effort.ts';
import { type GuestName, requestOf, WORK } from '../guests.ts';
import { PLAIN_GLUE, withFolder } from '../plain.ts';
import { buildPlugin } from './build-plugin.ts';
import type { PeerCommands } from './child.ts';
import { installPeer } from './install.ts';

const CHILD = new URL('./child.ts', import.meta.url);
/** isolated-vm asks for it: Node's own snapshot does not go with new isolates. */
const ISOLATED_VM_FLAGS = ['--no-node-snapshot'];
const REQUEST = requestOf(WORK.secret);

/** Milliseconds of reset and call with one secret, inside the sandbox. */
type InsideByGuest = ReadonlyMap<GuestName, number>;

/** A peer's time and, for each guest that does the same work, how many of our resets and calls fit into it. */
function figuresOf(
  peer: string,
  samples: readonly number[],
  inside: InsideByGuest,
  against: readonly GuestName[],
  note: string,
) {
  const time = median(`peer: ${peer}`, 'ms', samples, { note });
  const ratios = against.map((name) =>
    single(`${peer} / ${name} reset + call`, 'x', time.value / (inside.get(name) ?? Number.NaN), {
      note: 'one secret each, without a process boundary',
    }),
  );
  return [time, ...ratios];
}

const absent = (peer: string, reason: string): Figure => single(`peer: ${peer}`, 'ms', Number.NaN, { note: reason });

/** What others take for the same work with a fresh state for each call. @param plain the guests, unpatched. */
export async function peerFigures(
  plain: ReadonlyMap<GuestName, ReadonlyMap<string, Uint8Array>>,
  inside: InsideByGuest,
  effort: Effort,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [name, files] of plain) {
    const samples = await plainJco(files, effort);
    figures.push(...figuresOf(`jco, fresh ${name} instance`, samples, inside, [name], 'JSPI, compiled once'));
  }
  figures.push(...(await extismFigures(inside, effort)), ...(await isolatedVmFigures(inside, effort)));
  return figures;
}

async function extismFigures(inside: InsideByGuest, effort: Effort): Promise<Figure[]> {
  const peer = 'extism, fresh plugin';
  const installed = await installPeer('@extism/extism', 'dist/esm/mod.js');
  if (!installed.ok) return [absent(peer, installed.reason)];
  const plugin = await buildPlugin();
  const samplesOf = (samples: number, inWorker: boolean) =>
    inChild([], (child) => child.ask('extism', installed.file, plugin, REQUEST, samples, inWorker));
  const note = 'C on the raw ABI, JSON in and out, compiled once';
  return [
    ...figuresOf(peer, await samplesOf(effort.fast, false), inside, ['C'], `${note}; host functions are synchronous`),
    ...figuresOf(
      `${peer} in a worker`,
      await samplesOf(effort.slow, true),
      inside,
      ['C'],
      'the same where host functions are asynchronous, as ours are',
    ),
  ];
}

async function isolatedVmFigures(inside: InsideByGuest, effort: Effort): Promise<Figure[]> {
  const peer = 'isolated-vm, fresh isolate';
  const installed = await installPeer('isolated-vm', 'isolated-vm.js');
  if (!installed.ok) return [absent(peer, installed.reason)];
  try {
    const run = (child: Child<PeerCommands>) => child.ask('isolatedVm', installed.file, REQUEST, effort.fast);
    const samples = await inChild(ISOLATED_VM_FLAGS, run);
    return figuresOf(
      peer,
      samples,
      inside,
      ['QuickJS', 'StarlingMonkey'],
      'synchronous host function, JSON in and out',
    );
  } catch (error) {
    // Its binary does not run everywhere.
    return [absent(peer, (error as Error).message.split('\n')[0] ?? '')];
  }
}

async function plainJco(files: ReadonlyMap<string, Uint8Array>, effort: Effort): Promise<number[]> {
  const modules = new Map([...files].filter(([name]) => name.endsWith('.wasm')));
  return withFolder(async (folder) => {
    // A module for Node, whatever package.json lies above.
    const glue = join(folder, 'glue.mjs');
    await writeFile(glue, files.get(PLAIN_GLUE) ?? '');
    return inChild([], (child) => child.ask('jco', glue, modules, REQUEST, effort.fast));
  });
}

async function inChild<T>(flags: readonly string[], work: (child: Child<PeerCommands>) => Promise<T>): Promise<T> {
  const child = new Child<PeerCommands>(CHILD, flags);
  try {
    return await work(child);
  } finally {
    await child.end();
  }
}
