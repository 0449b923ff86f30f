import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { type NatsUser, renderNatsConfig } from './nats-config.ts';
import { asServer, type RunningServer, type ServerOptions } from './running-server.ts';
import { ensureServer } from './server-binaries.ts';
import { startProcess } from './supervised-process.ts';
import { dataDir } from './temporary-dir.ts';

const START_DEADLINE_MS = 15_000;
const PROBE_TIMEOUT_MS = 1_000;
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;

export interface NatsOptions extends ServerOptions {
  /** Who may connect and do what; without it anybody on loopback may do everything. */
  readonly users?: readonly NatsUser[];
  /** In bytes; 1 MiB unless given. */
  readonly maxPayload?: number;
}

/** Starts a nats-server with JetStream. The server picks the port itself, so nobody can be faster. */
export async function startNats(options: NatsOptions = {}): Promise<RunningServer> {
  const { signal, progress, runtimeDir } = options;
  const binary = await ensureServer('nats-server', { progress, runtimeDir, signal });
  const data = await dataDir(options.dir, 'nats');
  try {
    const configFile = path.join(data.path, 'nats.conf');
    const config = renderNatsConfig({
      port: options.port ?? -1,
      dataDir: path.join(data.path, 'jetstream'),
      portsDir: data.path,
      maxPayload: options.maxPayload ?? DEFAULT_MAX_PAYLOAD,
      users: options.users,
      syncAlways: canSyncAlways(binary.version),
    });
    await writeFile(configFile, config, { mode: 0o600 });
    const portsFile = (pid: number) => path.join(data.path, `${path.basename(binary.command)}_${pid}.ports`);
    const server = await startProcess({
      name: 'nats-server',
      command: binary.command,
      args: ['-c', configFile],
      env: binary.env,
      cwd: data.path,
      logFile: options.logFile ?? path.join(data.path, 'nats.log'),
      isReady: async (pid) => {
        const port = await readPort(portsFile(pid));
        return port !== undefined && greets(port);
      },
      deadlineMs: START_DEADLINE_MS,
      runtimeDir,
      temporaryDir: data.temporary,
      signal,
    });
    const port = await readPort(portsFile(server.pid));
    if (port === undefined) throw new Error('nats-server has withdrawn the file that names its port.');
    return asServer(server, `nats://127.0.0.1:${port}`, port, data);
  } catch (error) {
    await data.dispose();
    throw error;
  }
}

/** `sync_interval: always` came with 2.10; an older server refuses the word. There, the version floor carries freshness alone (I1). */
function canSyncAlways(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 10);
}

async function readPort(portsFile: string): Promise<number | undefined> {
  try {
    const { nats } = JSON.parse(await readFile(portsFile, 'utf8')) as { nats: readonly string[] };
    return nats[0] === undefined ? undefined : Number(new URL(nats[0]).port);
  } catch {
    return undefined; // not written yet, or not whole
  }
}

/** A NATS server speaks first: a line that begins with INFO. */
async function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => answer(false));
    socket.once('data', (chunk) => answer(chunk.toString('latin1').startsWith('INFO ')));
    socket.once('error', () => answer(false));
    socket.once('close', () => answer(false));
  });
}
