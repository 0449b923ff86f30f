import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commands, type Tree } from '@yowasp/clang';
import { BENCH_FOLDER } from '../plain.ts';

const SOURCE = new URL('./extism-plugin.c', import.meta.url);
const COMPILE = ['--target=wasm32', '-O2', '-nostdlib', '-fno-builtin', '-c', '-o', 'plugin.o', 'plugin.c'];
const LINK = ['--no-entry', '-o', 'plugin.wasm', 'plugin.o'];

/** The plugin, compiled when its source is new. */
export async function buildPlugin(): Promise<Uint8Array> {
  const source = await readFile(SOURCE, 'utf8');
  const key = createHash('sha256').update(source).digest('hex').slice(0, 16);
  const file = join(BENCH_FOLDER, `extism-plugin-${key}.wasm`);
  if (existsSync(file)) return readFile(file);
  const module = await compile({ 'plugin.c': source });
  await mkdir(BENCH_FOLDER, { recursive: true });
  await writeFile(`${file}.unfinished`, module);
  await rename(`${file}.unfinished`, file);
  return module;
}

async function compile(files: Tree): Promise<Uint8Array> {
  const quiet = { stdout: () => undefined, stderr: () => undefined, fetchProgress: () => undefined };
  const compiled = await commands.clang?.(COMPILE, files, quiet);
  const linked = await commands['wasm-ld']?.(LINK, compiled ?? {}, quiet);
  const module = linked?.['plugin.wasm'];
  if (!(module instanceof Uint8Array)) throw new Error('the plugin does not compile');
  return module;
}
