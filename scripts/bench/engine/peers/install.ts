import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BENCH_FOLDER } from '../plain.ts';

/** Of no use to the product, so nobody installs them but who runs this benchmark. */
const PEERS = { '@extism/extism': '1.0.3', 'isolated-vm': '7.0.1' } as const;
const INSTALL_DEADLINE_MS = 120_000;

export type PeerName = keyof typeof PEERS;

/** Puts a peer in its place. Gives the file to import, or why there is none. */
export async function installPeer(
  name: PeerName,
  entry: string,
): Promise<{ readonly ok: true; readonly file: string } | { readonly ok: false; readonly reason: string }> {
  const version = PEERS[name];
  const folder = join(BENCH_FOLDER, `${name.replace('@', '').replace('/', '-')}-${version}`);
  const file = join(folder, 'node_modules', name, entry);
  if (existsSync(file)) return { ok: true, file };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
    const args = ['install', `${name}@${version}`, '--prefix', folder, '--save-exact', '--no-audit', '--no-fund'];
    // Both peers bring their binaries along: nothing of theirs has to run at installation.
    await npm([...args, '--ignore-scripts', '--loglevel=error']);
    await readFile(file);
    return { ok: true, file };
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n').slice(-1);
    return { ok: false, reason: `${name}@${version} cannot be installed: ${line.slice(0, 200)}` };
  }
}

/** npm as it started this script, or else the one in the PATH; either of them on the Node that runs here. */
async function npm(args: readonly string[]): Promise<void> {
  const cli = process.env.npm_execpath ?? '';
  const [command, first] = /npm-cli\.[cm]?js$/.test(cli) ? [process.execPath, [cli]] : ['npm', []];
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
  await promisify(execFile)(command, [...first, ...args], {
    env: { ...process.env, PATH },
    timeout: INSTALL_DEADLINE_MS,
  });
}
