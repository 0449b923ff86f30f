import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { answersQueries, createDatabase, dropDatabase } from './databases.ts';
import { onFreePort } from './free-port.ts';
import { passwordIn } from './password-file.ts';
import { defaultRuntimeDir } from './paths.ts';
import {
  type PostgresPrograms,
  type PostgresUser,
  postgresPrograms,
  postgresUser,
  reachableDataDir,
} from './postgres-binaries.ts';
import { identify } from './process-identity.ts';
import { reapStale } from './process-records.ts';
import { asServer, type RunningServer, type ServerOptions } from './running-server.ts';
import { ProcessStartError, startProcess } from './supervised-process.ts';
import { type DataDir, dataDir } from './temporary-dir.ts';
import { waitUntil } from './wait-until.ts';

const START_DEADLINE_MS = 30_000;
const INITDB_TIMEOUT_MS = 60_000;
/** After a kill the remaining processes of the old server notice within moments; until then the new one is refused. */
const OLD_SERVER_DEADLINE_MS = 10_000;
const OLD_SERVER = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

export interface PostgresOptions extends ServerOptions {
  /** False for throw-away tests: faster, and a power cut may lose everything. */
  readonly durable?: boolean;
  readonly maxConnections?: number;
  /** True to begin with an empty server, whatever the folder holds. */
  readonly fresh?: boolean;
}

export interface RunningPostgres extends RunningServer {
  /** Creates it unless it is there. Resolves to its URL. */
  createDatabase(name: string): Promise<string>;
  /** Drops it, with whoever is connected to it. */
  dropDatabase(name: string): Promise<void>;
}

/** Starts a real Postgres on its data folder, whatever state an earlier run left that in. `url` is the superuser's. */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const { signal } = options;
  const user = await postgresUser();
  const programs = await postgresPrograms(user);
  const data = await openDataDir(options.dir, user);
  try {
    const cluster = path.join(data.path, 'cluster');
    // Outside the cluster, and written last: a folder without it is empty or the rest of an interrupted start.
    const complete = path.join(data.path, 'initialised');
    const password = await passwordIn(path.join(data.path, 'password'));
    if (existsSync(path.join(cluster, 'postmaster.pid')))
      await clearOldServer(cluster, options.runtimeDir ?? defaultRuntimeDir);
    if (options.fresh === true) await rm(complete, { force: true });
    if (!existsSync(complete)) {
      options.progress?.('creating the Postgres data folder (initdb)');
      await rm(cluster, { recursive: true, force: true });
      await initialise(programs, user, cluster, password, signal);
      await writeFile(complete, '');
    }
    const start = (port: number) => startCluster({ options, programs, user, data, cluster, password, port });
    const running = () => (options.port === undefined ? onFreePort(undefined, start) : start(options.port));
    return await retryWhileOldServerEnds(running, signal);
  } catch (error) {
    await data.dispose();
    throw error;
  }
}

interface Cluster {
  readonly options: PostgresOptions;
  readonly programs: PostgresPrograms;
  readonly user: PostgresUser | undefined;
  readonly data: DataDir;
  readonly cluster: string;
  readonly password: string;
  readonly port: number;
}

async function startCluster({
  options,
  programs,
  user,
  data,
  cluster,
  password,
  port,
}: Cluster): Promise<RunningPostgres> {
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  const server = await startProcess({
    name: 'postgres',
    command: programs.postgres,
    args: ['-D', cluster, ...settings(options, port).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { LC_ALL: 'C', PGTZ: 'UTC' },
    cwd: data.path,
    ...user,
    logFile: options.logFile ?? path.join(data.path, 'postgres.log'),
    isReady: () => answersQueries(url),
    deadlineMs: START_DEADLINE_MS,
    // The fast shutdown: ends sessions instead of waiting for them.
    stopSignal: 'SIGINT',
    runtimeDir: options.runtimeDir,
    temporaryDir: data.temporary,
    signal: options.signal,
  });
  return {
    ...asServer(server, url, port, data),
    createDatabase: (name) => createDatabase(url, name),
    dropDatabase: (name) => dropDatabase(url, name),
  };
}

function settings(options: PostgresOptions, port: number): ReadonlyArray<readonly [string, string | number]> {
  const durable = options.durable ?? true;
  return [
    ['listen_addresses', '127.0.0.1'],
    ['port', port],
    ['unix_socket_directories', ''],
    ['max_connections', options.maxConnections ?? 200],
    // Small when idle: this is one process group among ten on a developer's machine.
    ['shared_buffers', '32MB'],
    ['max_wal_size', '256MB'],
    ['jit', 'off'],
    ['max_parallel_workers_per_gather', 0],
    ['fsync', durable ? 'on' : 'off'],
    ['synchronous_commit', durable ? 'on' : 'off'],
    ['full_page_writes', durable ? 'on' : 'off'],
    // Statements and the values that break a constraint do not belong into a log (I3).
    ['log_min_error_statement', 'panic'],
    ['log_error_verbosity', 'terse'],
    ['log_parameter_max_length', 0],
  ];
}

async function openDataDir(dir: string | undefined, user: PostgresUser | undefined): Promise<DataDir> {
  // A temporary folder is made where the user of Postgres can reach it from the start.
  if (dir === undefined) {
    const base = path.dirname(await reachableDataDir(path.join(tmpdir(), 'alga-postgres'), user));
    const own = await mkdtemp(path.join(base, 'alga-postgres-'));
    if (user !== undefined) await chown(own, user.uid, user.gid);
    return { path: own, temporary: own, dispose: () => rm(own, { recursive: true, force: true, maxRetries: 5 }) };
  }
  await mkdir(path.dirname(path.resolve(dir)), { recursive: true });
  const data = await dataDir(await reachableDataDir(path.resolve(dir), user), 'postgres');
  if (user !== undefined) await chown(data.path, user.uid, user.gid);
  return data;
}

async function initialise(
  programs: PostgresPrograms,
  user: PostgresUser | undefined,
  cluster: string,
  password: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Through a file that Postgres's user can read for this moment: arguments can be read by everybody for ever.
  const passwordFile = `${cluster}.pw`;
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) await chown(passwordFile, user.uid, user.gid);
  const args = [
    `--pgdata=${cluster}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ];
  try {
    await promisify(execFile)(programs.initdb, args, {
      cwd: path.dirname(cluster),
      env: { LC_ALL: 'C', PGTZ: 'UTC' },
      timeout: INITDB_TIMEOUT_MS,
      ...user,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    const said = (error as { stderr?: string }).stderr?.trim() ?? '';
    throw new Error(
      `Postgres could not create its data folder ${cluster} (${said}): remove the folder and try again, or set DATABASE_URL.`,
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/**
 * Deals with the pid file of a server that did not stop properly. A leftover of a killed run is ended; a pid that now belongs to
 * another program would keep Postgres from starting, so the file goes; a server that somebody still uses is left alone.
 */
async function clearOldServer(cluster: string, runtimeDir: string): Promise<void> {
  await reapStale(runtimeDir);
  const pidFile = path.join(cluster, 'postmaster.pid');
  const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10);
  const found = pid > 0 ? await identify(pid) : undefined;
  if (found === undefined) return; // Postgres itself clears what a dead server left
  if (!found.command.includes(cluster)) return rm(pidFile, { force: true });
  throw new Error(`Another Postgres (pid ${pid}) runs on ${cluster}: stop that stack first, or use another folder.`);
}

async function retryWhileOldServerEnds(
  start: () => Promise<RunningPostgres>,
  signal: AbortSignal | undefined,
): Promise<RunningPostgres> {
  let running: RunningPostgres | undefined;
  let refusal: unknown;
  await waitUntil(
    async () => {
      try {
        running = await start();
        return true;
      } catch (error) {
        if (!(error instanceof ProcessStartError) || !OLD_SERVER.test(error.logTail)) throw error;
        refusal = error;
        return false;
      }
    },
    { deadlineMs: OLD_SERVER_DEADLINE_MS, everyMs: 200, signal },
  );
  if (running === undefined) throw refusal;
  return running;
}
