// Unpacks Debian packages into a folder of our own: no root, no installation, nothing outside that folder changes.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const DOWNLOAD_TIMEOUT_MS = 180_000;
const run = promisify(execFile);

interface UnpackOptions {
  readonly packages: readonly string[];
  /** Appears complete or not at all. */
  readonly target: string;
  readonly progress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Downloads the packages with apt and unpacks them side by side into `target`. Rejects with what apt or dpkg said. */
export async function unpackDebianPackages(options: UnpackOptions): Promise<void> {
  const { packages, target, progress, signal } = options;
  await mkdir(path.dirname(target), { recursive: true });
  const scratch = await mkdtemp(`${target}.part-`);
  try {
    const debs = path.join(scratch, 'debs');
    const root = path.join(scratch, 'root');
    await Promise.all([debs, root].map((dir) => mkdir(dir)));
    const download = (aptOptions: readonly string[]) =>
      command('apt-get', [...aptOptions, 'download', ...packages], debs, signal);
    progress(`downloading ${packages.join(', ')} (Debian packages, unpacked without root)`);
    try {
      await download([]);
    } catch {
      signal?.throwIfAborted();
      // A fresh machine often has no package lists. They are fetched into the scratch folder: the system's own stay as they are.
      progress('the package lists are missing or old: fetching them (apt-get update into a private folder)');
      const state = await privateAptState(scratch);
      await command('apt-get', [...state, 'update'], scratch, signal);
      await download(state);
    }
    for (const name of (await readdir(debs)).filter((file) => file.endsWith('.deb'))) {
      await command('dpkg-deb', ['-x', path.join(debs, name), root], scratch, signal);
    }
    await rm(target, { recursive: true, force: true });
    await rename(root, target);
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function privateAptState(scratch: string): Promise<readonly string[]> {
  const lists = path.join(scratch, 'lists');
  const cache = path.join(scratch, 'cache');
  await Promise.all(
    [path.join(lists, 'partial'), path.join(cache, 'archives/partial')].map((dir) => mkdir(dir, { recursive: true })),
  );
  return ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${cache}`, '-o', 'Acquire::Retries=2'];
}

async function command(
  name: string,
  args: readonly string[],
  cwd: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await run(name, [...args], { cwd, timeout: DOWNLOAD_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    const said = stderr?.split('\n').filter((line) => line.startsWith('E:')) ?? [];
    throw new Error(`${name}: ${said.length > 0 ? said.join(' ') : (code ?? 'failed')}`);
  }
}
