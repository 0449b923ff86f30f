import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { Child } from './commands.ts';
import type { PlainCommands } from './plain-child.ts';

/** Peers, what is built for them, and what lies about while this runs: out of git's sight. */
export const BENCH_FOLDER = fileURLToPath(new URL('../../../.runtime/bench-peers/', import.meta.url));
/** As the registry calls it, so that the files have the same names. */
const NAME = 'component';
export const PLAIN_GLUE = `${NAME}.js`;

/** Calls `work` with a folder that is gone afterwards. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await mkdir(BENCH_FOLDER, { recursive: true });
  const folder = await mkdtemp(join(BENCH_FOLDER, 'run-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A component as jco transpiles it, with nothing of ours: the files by name. */
export function transpilePlainly(component: Uint8Array): Promise<Map<string, Uint8Array>> {
  return withFolder(async (folder) => {
    const file = join(folder, 'guest.wasm');
    await writeFile(file, component);
    const child = new Child<PlainCommands>(new URL('./plain-child.ts', import.meta.url));
    const asyncImports = HOST_FUNCTIONS.map((fn) => `${WIT_PACKAGE}/${fn.interface}@${WIT_VERSION}#${fn.witFunction}`);
    try {
      return await child.ask('plain', file, NAME, asyncImports);
    } finally {
      await child.end();
    }
  });
}
