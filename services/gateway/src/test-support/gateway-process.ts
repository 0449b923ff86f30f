import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type SupervisedProcess, startProcess } from '@alga/local-stack';

export interface GatewayProcess {
  readonly port: number;
  readonly process: SupervisedProcess;
  log(): Promise<string>;
  /** SIGTERM, and the folder of its log goes too. */
  stop(): Promise<void>;
}

/** The real gateway, as it is deployed, on a free port. */
export async function startGateway(natsUrl: string, env: Record<string, string> = {}): Promise<GatewayProcess> {
  const dir = await mkdtemp(path.join(tmpdir(), 'alga-gateway-'));
  const logFile = path.join(dir, 'gateway.log');
  const log = () => readFile(logFile, 'utf8');
  const portIn = (text: string) => /"address":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(text)?.[1];
  try {
    const started = await startProcess({
      name: `gateway-${randomUUID().slice(0, 8)}`,
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', path.resolve(import.meta.dirname, '../main.ts')],
      env: { NATS_URL: natsUrl, HTTP_PORT: '0', ...env },
      logFile,
      isReady: async () => portIn(await log()) !== undefined,
      deadlineMs: 20_000,
      graceMs: 25_000,
    });
    const stop = async () => {
      await started.stop();
      await rm(dir, { recursive: true, force: true });
    };
    return { port: Number(portIn(await log())), process: started, log, stop };
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
