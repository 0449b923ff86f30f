import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startProcess } from '@alga/local-stack';

export interface ControlPlaneProcess {
  readonly url: string;
  /** Everything it has logged. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** The real control-plane, as it is deployed, on a free port. @param dir Where its keys are and its log goes. */
export async function startControlPlaneProcess(
  dir: string,
  natsUrl: string,
  databaseUrl: string,
): Promise<ControlPlaneProcess> {
  const logFile = path.join(dir, 'control-plane.log');
  const log = () => readFile(logFile, 'utf8');
  const addressIn = (text: string) => /"address":"(http:\/\/127\.0\.0\.1:\d+)"/.exec(text)?.[1];
  const started = await startProcess({
    name: `control-plane-${randomUUID().slice(0, 8)}`,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', path.resolve(import.meta.dirname, '../main.ts')],
    env: {
      NATS_URL: natsUrl,
      HTTP_PORT: '0',
      DATABASE_URL: databaseUrl,
      ENVELOPE_SIGNING_KEY_FILE: path.join(dir, 'envelope-signing.jwk'),
      BROKER_SEAL_PUBLIC_KEY_FILE: path.join(dir, 'broker-seal-public.jwk'),
      INTERNAL_TOKEN_FILE: path.join(dir, 'internal-token'),
      OPERATOR_KEY_FILE: path.join(dir, 'operator-key'),
    },
    logFile,
    isReady: async () => addressIn(await log()) !== undefined,
    deadlineMs: 30_000,
    graceMs: 25_000,
  });
  return { url: addressIn(await log()) ?? '', log, stop: () => started.stop() };
}
