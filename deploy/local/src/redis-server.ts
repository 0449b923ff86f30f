import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Redis } from 'ioredis';
import { onFreePort } from './free-port.ts';
import { passwordIn } from './password-file.ts';
import { asServer, type RunningServer, type ServerOptions } from './running-server.ts';
import { ensureServer } from './server-binaries.ts';
import { startProcess } from './supervised-process.ts';
import { dataDir } from './temporary-dir.ts';

const START_DEADLINE_MS = 15_000;
const PROBE_TIMEOUT_MS = 1_000;

export interface RedisOptions extends ServerOptions {
  /** As Redis writes it, e.g. `64mb` (the default). The least recently used keys go first. */
  readonly maxmemory?: string;
}

/** Starts a redis-server that keeps nothing on disk and wants a password. */
export async function startRedis(options: RedisOptions = {}): Promise<RunningServer> {
  const { signal, progress, runtimeDir } = options;
  const binary = await ensureServer('redis-server', { progress, runtimeDir, signal });
  const data = await dataDir(options.dir, 'redis');
  try {
    const password = await passwordIn(path.join(data.path, 'password'));
    const start = async (port: number) => {
      const url = `redis://:${password}@127.0.0.1:${port}`;
      // A file and not arguments: everybody can read another process's arguments.
      const configFile = path.join(data.path, 'redis.conf');
      await writeFile(configFile, renderConfig(port, data.path, password, options.maxmemory ?? '64mb'), {
        mode: 0o600,
      });
      const server = await startProcess({
        name: 'redis-server',
        command: binary.command,
        args: [configFile],
        env: binary.env,
        cwd: data.path,
        logFile: options.logFile ?? path.join(data.path, 'redis.log'),
        isReady: () => answersPing(url),
        deadlineMs: START_DEADLINE_MS,
        runtimeDir,
        temporaryDir: data.temporary,
        signal,
      });
      return asServer(server, url, port, data);
    };
    return await (options.port === undefined ? onFreePort(undefined, start) : start(options.port));
  } catch (error) {
    await data.dispose();
    throw error;
  }
}

function renderConfig(port: number, dir: string, password: string, maxmemory: string): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    'protected-mode yes',
    `requirepass ${password}`,
    'daemonize no',
    `dir ${JSON.stringify(dir)}`,
    'save ""',
    'appendonly no',
    `maxmemory ${maxmemory}`,
    'maxmemory-policy allkeys-lru',
    // It would replace its command line, by which a leftover of an earlier run is recognised.
    'set-proc-title no',
  ];
  return `${lines.join('\n')}\n`;
}

async function answersPing(url: string): Promise<boolean> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: PROBE_TIMEOUT_MS,
    // Whoever listens there may be somebody else, who never answers.
    commandTimeout: PROBE_TIMEOUT_MS,
    enableReadyCheck: false,
  });
  client.on('error', () => undefined); // a refused connection is the expected answer of a server that has not started
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
