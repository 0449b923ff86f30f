import { execFile } from 'node:child_process';
import { access, constants, readdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { unpackDebianPackages } from './debian-packages.ts';
import { withLock } from './lock.ts';
import { defaultRuntimeDir } from './paths.ts';

export type ServerName = 'nats-server' | 'redis-server';

/** A server program that was seen to run on this machine. */
export interface ServerBinary {
  readonly command: string;
  /** What its environment needs to hold. */
  readonly env: Readonly<Record<string, string>>;
  /** As the program says it itself, e.g. `2.9.10`. */
  readonly version: string;
}

export interface EnsureServersOptions {
  /** Which ones; both unless said otherwise. */
  readonly servers?: readonly ServerName[];
  readonly progress?: ((line: string) => void) | undefined;
  readonly runtimeDir?: string | undefined;
  /** Where to look for installed ones, in the form of PATH. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal | undefined;
}

interface Recipe {
  readonly packages: readonly string[];
  readonly versionPattern: RegExp;
  readonly setting: string;
  readonly brew: string;
}

const RECIPES: Readonly<Record<ServerName, Recipe>> = {
  'nats-server': {
    packages: ['nats-server'],
    versionPattern: /v(\d+\.\d+\.\d+)/,
    setting: 'NATS_URL',
    brew: 'nats-server',
  },
  'redis-server': {
    // The two libraries are what a small image lacks; the rest of what Redis links is part of any Debian (measured on Debian 12).
    packages: ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2'],
    versionPattern: /v=(\d+\.\d+\.\d+)/,
    setting: 'REDIS_URL',
    brew: 'redis',
  },
};
/** Another process may be downloading on a slow line. */
const LOCK_DEADLINE_MS = 300_000;
const VERSION_TIMEOUT_MS = 10_000;

/**
 * Finds nats-server and redis-server: installed ones if PATH has them, otherwise unpacked without root into `.runtime/servers/`, once,
 * however many processes ask at the same time. Rejects with one sentence that names the fix.
 */
export async function ensureServers(
  options: EnsureServersOptions = {},
): Promise<ReadonlyMap<ServerName, ServerBinary>> {
  const wanted = options.servers ?? ['nats-server', 'redis-server'];
  const found = await Promise.all(wanted.map(async (name) => [name, await ensureServer(name, options)] as const));
  return new Map(found);
}

/** One of them. */
export async function ensureServer(
  name: ServerName,
  options: Omit<EnsureServersOptions, 'servers'> = {},
): Promise<ServerBinary> {
  const recipe = RECIPES[name];
  // Debian puts nats-server into /usr/sbin, which an ordinary user's PATH lacks.
  const folders = [
    ...(options.searchPath ?? process.env.PATH ?? '').split(path.delimiter),
    ...(options.searchPath === undefined ? ['/usr/sbin'] : []),
  ];
  for (const folder of folders.filter(path.isAbsolute)) {
    const installed = await tryBinary(path.join(folder, name), {}, recipe);
    if (installed !== undefined) return installed;
  }
  const target = path.join(options.runtimeDir ?? defaultRuntimeDir, 'servers', `${name}-${process.arch}`);
  const unpacked = await unpackedBinary(target, name, recipe);
  if (unpacked !== undefined) return unpacked;
  if (process.platform !== 'linux') throw new Error(missing(name, `run \`brew install ${recipe.brew}\``));
  return withLock(`${target}.lock`, { deadlineMs: LOCK_DEADLINE_MS, signal: options.signal }, async () => {
    const meanwhile = await unpackedBinary(target, name, recipe);
    if (meanwhile !== undefined) return meanwhile;
    try {
      await unpackDebianPackages({
        packages: recipe.packages,
        target,
        progress: options.progress ?? (() => undefined),
        signal: options.signal,
      });
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new Error(missing(name, 'install it with your package manager', error), { cause: error });
    }
    const fresh = await unpackedBinary(target, name, recipe);
    if (fresh === undefined)
      throw new Error(missing(name, 'install it with your package manager', 'the unpacked one does not run here'));
    return fresh;
  });
}

function missing(name: ServerName, fix: string, why?: unknown): string {
  const reason =
    why === undefined
      ? ''
      : ` and could not be unpacked from Debian packages (${why instanceof Error ? why.message : why})`;
  return `${name} is not on PATH${reason}: ${fix}, or set ${RECIPES[name].setting} to a server that already runs.`;
}

async function unpackedBinary(target: string, name: ServerName, recipe: Recipe): Promise<ServerBinary | undefined> {
  const libraries = path.join(target, 'usr/lib');
  const triplets = (await readdir(libraries).catch(() => [])).filter((entry) => entry.includes('-linux-'));
  const env =
    triplets.length === 0 ? {} : { LD_LIBRARY_PATH: triplets.map((entry) => path.join(libraries, entry)).join(':') };
  return (
    (await tryBinary(path.join(target, 'usr/sbin', name), env, recipe)) ??
    tryBinary(path.join(target, 'usr/bin', name), env, recipe)
  );
}

/** The program at this path, if there is one and it runs: a library it lacks, or a wrong architecture, shows here and not later. */
async function tryBinary(
  command: string,
  env: Readonly<Record<string, string>>,
  recipe: Recipe,
): Promise<ServerBinary | undefined> {
  try {
    await access(command, constants.X_OK);
    const { stdout, stderr } = await promisify(execFile)(command, ['--version'], {
      env: { ...env },
      timeout: VERSION_TIMEOUT_MS,
    });
    const version = recipe.versionPattern.exec(`${stdout}${stderr}`)?.[1];
    return version === undefined ? undefined : { command, env, version };
  } catch {
    return undefined;
  }
}
