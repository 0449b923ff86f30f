import { chmod, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { catalogueUsers } from './catalogue-users.ts';
import { onFreePort } from './free-port.ts';
import { type BusIdentity, type GeneratedKeys, generateKeys } from './keys.ts';
import { tryLock } from './lock.ts';
import type { NatsUser } from './nats-config.ts';
import { defaultRuntimeDir, repositoryRoot } from './paths.ts';
import { ensurePrivateDir } from './private-files.ts';
import { reapStale } from './process-records.ts';
import type { RunningServer } from './running-server.ts';
import { type ServiceName, type StackSettings, serviceSettings, singleServices } from './service-settings.ts';
import { choosePorts, type Instance, stackInstances } from './stack-ports.ts';
import { type DatabaseUrls, type StackServers, startServers } from './stack-servers.ts';
import { startTogether } from './start-together.ts';
import { type SupervisedProcess, startProcess } from './supervised-process.ts';

const LOCK_FILE = 'stack.lock';
const READY_DEADLINE_MS = 60_000;
/** Longer than a service's own drain (I10). */
const SERVICE_GRACE_MS = 30_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 15_000;
/** The gateway first, so that nothing new comes in; those that others still ask on their way out last. */
const STOP_ORDER: readonly ServiceName[] = ['gateway', 'runner', 'registry', 'control-plane', 'secrets-broker'];

export interface StackOptions {
  /** Data, keys and logs of this stack. A second start continues where the first ended. One stack at a time. */
  readonly dir: string;
  /**
   * True to begin with nothing: what an earlier stack left in the folder is removed, once it is certain that no other stack uses it.
   * On given servers, what an earlier fresh stack left there: databases `alga_demo_*`, Redis keys `alga:*`, our streams and bucket.
   */
  readonly fresh?: boolean;
  /** How many runners; 1 unless given. */
  readonly runners?: number;
  /** `preferred`: from 8480 on, next free when taken. `any`: for tests that run beside each other. */
  readonly ports?: 'preferred' | 'any';
  readonly progress?: (line: string) => void;
  /** Where NATS_URL, REDIS_URL, DATABASE_URL, VAULT_ADDR and VAULT_TOKEN_FILE are looked up; this process's environment unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Who may do what on the bus; what the channel catalogue says unless given. */
  readonly natsUsers?: (publicKeys: ReadonlyMap<BusIdentity, string>) => readonly NatsUser[];
  /** Private origins that extensions may call, e.g. `http://127.0.0.1:9000`. */
  readonly egressPrivateOrigins?: readonly string[];
  readonly requestTimeoutMs?: number;
  /** Settings of a service beyond, or instead of, the usual ones. */
  readonly settings?: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>>;
  /** Another program in place of `services/<name>/src/main.ts`. */
  readonly entries?: Readonly<Partial<Record<ServiceName, string>>>;
  /** Ends the start, with everything that it started, when aborted. */
  readonly signal?: AbortSignal;
}

export interface Stack {
  /** Base URLs, without a trailing slash. */
  readonly urls: {
    readonly gateway: string;
    readonly controlPlane: string;
    readonly registry: string;
    readonly secretsBroker: string;
    readonly runners: readonly string[];
  };
  readonly keysDir: string;
  readonly logsDir: string;
  /** Where the file provider of the broker looks for secrets. */
  readonly secretsDir: string;
  readonly servers: StackServers;
  /** With passwords: never log them. */
  readonly databaseUrls: DatabaseUrls;
  /** By name: `gateway`, `control-plane`, `registry`, `secrets-broker`, `runner-1`, ... */
  readonly processes: ReadonlyMap<string, SupervisedProcess>;
  /** Kills one runner (counted from 0) without a warning, and resolves when it is gone. */
  killRunner(index: number): Promise<void>;
  /** Stops everything that was started, in order; what hangs is killed. Safe to call again. */
  stop(): Promise<void>;
}

interface Running {
  readonly services: Map<
    string,
    { readonly instance: Instance; readonly process: SupervisedProcess; readonly url: string }
  >;
  readonly servers: RunningServer[];
}

/** Starts the whole platform on this machine. Rejects with the first failure after stopping what was started. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dir = path.resolve(options.dir);
  await mkdir(dir, { recursive: true });
  // To be passed through, not listed: Postgres may run as another user, inside its own folder; the folders beside it are closed.
  await chmod(dir, 0o711);
  const lock = await tryLock(path.join(dir, LOCK_FILE));
  if (lock.kind === 'busy') {
    throw new Error(
      `Another stack (pid ${lock.holder.pid}) runs on ${dir}: stop it first (Ctrl-C where it was started), or use another folder.`,
    );
  }
  const running: Running = { services: new Map(), servers: [] };
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopAll(running).finally(lock.release);
    return stopping;
  };
  try {
    return await start(options, dir, running, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: StackOptions, dir: string, running: Running, stop: () => Promise<void>): Promise<Stack> {
  const progress = options.progress ?? (() => undefined);
  const env = options.env ?? process.env;
  const failed = new AbortController();
  const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal]);
  const abort = (reason: unknown) => failed.abort(reason);
  const logsDir = path.join(dir, 'logs');
  const secretsDir = path.join(dir, 'secrets');

  const leftovers = await reapStale(defaultRuntimeDir);
  if (leftovers.length > 0) progress(`ended what an earlier run left behind: ${leftovers.join(', ')}`);
  const fresh = options.fresh ?? false;
  if (fresh) await empty(dir);
  await rm(logsDir, { recursive: true, force: true }); // the logs of a run are of that run alone
  await Promise.all([ensurePrivateDir(logsDir), ensurePrivateDir(secretsDir)]);
  const keys = await generateKeys(path.join(dir, 'keys'));
  const { databaseUrls, ...servers } = await startServers({
    dir,
    logsDir,
    external: { nats: env.NATS_URL, redis: env.REDIS_URL, postgres: env.DATABASE_URL },
    natsUsers: natsUsers(options, keys),
    fresh,
    progress,
    signal,
    abort,
    onStarted: (server) => running.servers.push(server),
  });
  const stackSettings: StackSettings = {
    keysDir: keys.dir,
    secretsDir,
    natsUrl: servers.nats.url,
    redisUrl: servers.redis.url,
    databaseUrls,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    egressPrivateOrigins: options.egressPrivateOrigins ?? [],
    vault: vaultFrom(env),
  };

  const instances = stackInstances(options.runners ?? 1);
  // Who lets extensions call an origin on this machine is about to serve it.
  const reserved = new Set(stackSettings.egressPrivateOrigins.map((origin) => Number(new URL(origin).port)));
  const ports = await choosePorts(instances, options.ports ?? 'preferred', progress, reserved);
  const startInstance = async (instance: Instance) => {
    const began = performance.now();
    const { process: service, port } = await onFreePort(ports.get(instance.name), async (port) => ({
      process: await startService(instance, port, stackSettings, options, { logsDir, env, signal }),
      port,
    }));
    running.services.set(instance.name, { instance, process: service, url: `http://127.0.0.1:${port}` });
    progress(`${instance.name} is ready on port ${port} (${Math.round(performance.now() - began)} ms)`);
  };
  await startTogether(instances.map(startInstance), abort);

  const url = (name: string) => found(running, name).url;
  const runnerNames = instances.filter(({ service }) => service === 'runner').map(({ name }) => name);
  const [gateway, controlPlane, registry, secretsBroker] = singleServices.map(url) as [string, string, string, string];
  return {
    urls: { gateway, controlPlane, registry, secretsBroker, runners: runnerNames.map(url) },
    keysDir: keys.dir,
    logsDir,
    secretsDir,
    servers,
    databaseUrls,
    processes: new Map([...running.services].map(([name, { process }]) => [name, process])),
    killRunner: async (index) => {
      const runner = found(running, runnerNames[index] ?? `runner-${index + 1}`).process;
      runner.kill('SIGKILL');
      await runner.exited;
    },
    stop,
  };
}

/** Only what a stack makes: the folder may hold something else of its owner. */
async function empty(dir: string): Promise<void> {
  const own = ['keys', 'secrets', 'logs', 'nats', 'redis', 'postgres'];
  await Promise.all(own.map((name) => rm(path.join(dir, name), { recursive: true, force: true, maxRetries: 3 })));
}

function startService(
  instance: Instance,
  port: number,
  stackSettings: StackSettings,
  options: StackOptions,
  context: { logsDir: string; env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<SupervisedProcess> {
  const { service, name } = instance;
  const entry = options.entries?.[service] ?? path.join(repositoryRoot, 'services', service, 'src/main.ts');
  return startProcess({
    name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', entry],
    // Nothing of the developer's environment: a service that needs more than its settings must fail here, not in production.
    env: {
      ...(context.env.PATH === undefined ? {} : { PATH: context.env.PATH }),
      ...serviceSettings(service, service === 'runner' ? name : `${name}-1`, port, stackSettings),
      ...options.settings?.[service],
    },
    cwd: repositoryRoot,
    logFile: path.join(context.logsDir, `${name}.log`),
    readyUrl: `http://127.0.0.1:${port}/readyz`,
    deadlineMs: READY_DEADLINE_MS,
    graceMs: SERVICE_GRACE_MS,
    signal: context.signal,
  });
}

function natsUsers(options: StackOptions, keys: GeneratedKeys): readonly NatsUser[] {
  return (options.natsUsers ?? catalogueUsers)(keys.natsPublicKeys);
}

function vaultFrom(env: Readonly<Record<string, string | undefined>>): StackSettings['vault'] {
  const { VAULT_ADDR: address, VAULT_TOKEN_FILE: tokenFile } = env;
  if (!address) return undefined;
  if (!tokenFile)
    throw new Error(
      'VAULT_ADDR is set without VAULT_TOKEN_FILE: name a file that holds a Vault token, or unset VAULT_ADDR.',
    );
  return { address, tokenFile: path.resolve(tokenFile) };
}

function found(running: Running, name: string): { readonly process: SupervisedProcess; readonly url: string } {
  const service = running.services.get(name);
  if (service === undefined) throw new RangeError(`There is no ${name} in this stack.`);
  return service;
}

async function stopAll(running: Running): Promise<void> {
  const failures: unknown[] = [];
  const stopEach = async (processes: ReadonlyArray<{ stop(): Promise<void> }>) => {
    const outcomes = await Promise.allSettled(processes.map((process) => process.stop()));
    failures.push(...outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : [])));
  };
  for (const service of STOP_ORDER) {
    const instances = [...running.services.values()].filter(({ instance }) => instance.service === service);
    await stopEach(instances.map(({ process }) => process));
  }
  await stopEach(running.servers);
  if (failures.length > 0) throw new AggregateError(failures, 'Not everything in the stack could be stopped.');
}
