import path from 'node:path';
import { createDatabase } from './databases.ts';
import { type GivenServer, takeDatabase, takeNats, takeRedis } from './given-servers.ts';
import type { NatsUser } from './nats-config.ts';
import { startNats } from './nats-server.ts';
import { startPostgres } from './postgres-server.ts';
import { startRedis } from './redis-server.ts';
import type { RunningServer } from './running-server.ts';
import { serviceDatabases } from './service-settings.ts';
import { startTogether } from './start-together.ts';

/** A server the stack works with: one of ours, which it stops, or one that already ran. URLs hold passwords: never log them. */
export type StackServer =
  | { readonly kind: 'own'; readonly url: string; readonly server: RunningServer }
  | { readonly kind: 'external'; readonly url: string };

export interface StackServers {
  readonly nats: StackServer;
  readonly redis: StackServer;
  readonly postgres: StackServer;
}

export type DatabaseUrls = Readonly<Record<keyof typeof serviceDatabases, string>>;

interface StackServersOptions {
  readonly dir: string;
  readonly logsDir: string;
  /** Servers that already run: NATS_URL, REDIS_URL, DATABASE_URL. */
  readonly external: {
    readonly nats?: string | undefined;
    readonly redis?: string | undefined;
    readonly postgres?: string | undefined;
  };
  readonly natsUsers: readonly NatsUser[];
  readonly fresh: boolean;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
  readonly abort: (reason: unknown) => void;
  /** Told of each server as soon as it runs, so that it can be stopped when another one fails. */
  readonly onStarted: (server: RunningServer) => void;
}

/** Starts the servers that are not given, together, and makes the databases. */
export async function startServers(
  options: StackServersOptions,
): Promise<StackServers & { readonly databaseUrls: DatabaseUrls }> {
  const { external, progress, signal } = options;
  const own = async (
    name: string,
    start: (common: { dir: string; logFile: string }) => Promise<RunningServer>,
  ): Promise<StackServer> => {
    const began = performance.now();
    const server = await start({
      dir: path.join(options.dir, name),
      logFile: path.join(options.logsDir, `${name}.log`),
    });
    options.onStarted(server);
    progress(`${name} runs on port ${server.port} (${Math.round(performance.now() - began)} ms)`);
    return { kind: 'own', url: server.url, server };
  };
  const { fresh } = options;
  const given = async (name: string, url: string, take: (server: GivenServer) => Promise<void>) => {
    await take({ url, fresh });
    progress(`${name}: using the given server`);
    return { kind: 'external', url } as const;
  };
  const common = { progress, signal };
  const [nats, redis, { postgres, databaseUrls }] = await startTogether(
    [
      external.nats
        ? given('nats', external.nats, takeNats)
        : own('nats', (at) => startNats({ ...common, ...at, users: options.natsUsers })),
      external.redis
        ? given('redis', external.redis, takeRedis)
        : own('redis', (at) => startRedis({ ...common, ...at })),
      (async () => {
        const { postgres: url } = external;
        if (url) {
          const databaseUrls = await createDatabases((name) => takeDatabase({ url, fresh }, name));
          progress('postgres: using the given server');
          return { postgres: { kind: 'external' as const, url }, databaseUrls };
        }
        const postgres = await own('postgres', (at) => startPostgres({ ...common, ...at, fresh }));
        return { postgres, databaseUrls: await createDatabases((name) => createDatabase(postgres.url, name)) };
      })(),
    ],
    options.abort,
  );
  return { nats, redis, postgres, databaseUrls };
}

async function createDatabases(create: (name: string) => Promise<string>): Promise<DatabaseUrls> {
  // One after the other: Postgres copies its template for each, and refuses while another copy is under way.
  return {
    'control-plane': await create(serviceDatabases['control-plane']),
    registry: await create(serviceDatabases.registry),
    'secrets-broker': await create(serviceDatabases['secrets-broker']),
  };
}
