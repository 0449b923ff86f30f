import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import {
  freePort,
  generateKeys,
  type SupervisedProcess,
  startNats,
  startProcess,
  testDatabase,
} from '@alga/local-stack';
import { ControlPlaneStandIn } from './control-plane-stand-in.ts';
import { RunnerStandIn } from './runner-stand-in.ts';
import { type Signer, signer } from './tokens.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const START_DEADLINE_MS = 30_000;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The broker as its own process, on a real NATS and a real Postgres, between two peers of real messages. */
export async function startBroker() {
  const dir = await mkdtemp(path.join(tmpdir(), 'alga-broker-'));
  const [nats, database, port] = await Promise.all([startNats(), testDatabase(), freePort()]);
  const keysDir = path.join(dir, 'keys');
  await generateKeys(keysDir);
  const key = (name: string) => path.join(keysDir, name);
  const filesDir = path.join(dir, 'secrets');
  await mkdir(filesDir, { mode: 0o700 });
  const logFile = path.join(dir, 'broker.log');
  const url = `http://127.0.0.1:${port}`;
  const start = (): Promise<SupervisedProcess> =>
    startProcess({
      name: 'broker-under-test',
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', MAIN],
      env: {
        NATS_URL: nats.url,
        HTTP_PORT: String(port),
        SERVICE_INSTANCE: 'under-test',
        DATABASE_URL: database.url,
        KEYRING_FILE: key('keyring.json'),
        BROKER_SIGNING_KEY_FILE: key('broker-signing.jwk'),
        BROKER_SEAL_KEY_FILE: key('broker-seal.jwk'),
        ENVELOPE_PUBLIC_KEYS_FILE: key('envelope-public.jwks'),
        RUNNER_PUBLIC_KEYS_FILE: key('runner-public.jwks'),
        WEBHOOK_SECRETS_FILE: key('webhook-secrets.json'),
        SECRET_FILES_DIR: filesDir,
        SECRET_PROVIDERS: 'file,env',
        REDEMPTION_TIMEOUT_MS: '5000', // other tests run beside this one, on few cores
        ALGA_SECRET_FROM_ENV: 'value-from-the-environment',
      },
      logFile,
      readyUrl: `${url}/readyz`,
      deadlineMs: START_DEADLINE_MS,
      runtimeDir: path.join(dir, 'runtime'),
    });
  const broker = await start();
  const logger = createLogger({ service: 'test', instance: 'test', level: 'fatal', knownSecrets: new KnownSecrets() });
  const connect = (service: string) => Bus.connect({ url: nats.url, service, logger });
  const [controlPlaneBus, runnerBus] = await Promise.all([connect('control-plane'), connect('runner')]);
  const controlPlane = new ControlPlaneStandIn(controlPlaneBus);
  const brokerJwk = JSON.parse(await readFile(key('broker-public.jwks'), 'utf8')).keys[0];
  const runner = new RunnerStandIn(runnerBus, {
    minter: await signerOf(key('envelope-signing.jwk')),
    identity: await signerOf(key('runner-identity.jwk')),
    brokerKey: createPublicKey({ key: brokerJwk, format: 'jwk' }),
  });
  const webhookSecret: string = JSON.parse(await readFile(key('webhook-secrets.json'), 'utf8')).sources[0].secrets[0];

  return {
    url,
    broker,
    controlPlane,
    controlPlaneBus,
    runner,
    databaseUrl: database.url,
    sealPublicJwk: JSON.parse(await readFile(key('broker-seal-public.jwk'), 'utf8')),
    readLog: () => readFile(logFile, 'utf8'),
    writeFile: (name: string, value: string) => writeFile(path.join(filesDir, name), value),
    /** Does something while the folder of secrets is gone. */
    async withoutFiles<T>(work: () => Promise<T>): Promise<T> {
      await rename(filesDir, `${filesDir}-gone`);
      try {
        return await work();
      } finally {
        await rename(`${filesDir}-gone`, filesDir);
      }
    },
    filesDir,
    /** Signs and sends a notification. Headers given win over those made here; a list is sent as repeated headers. */
    notify(body: string, headers: Record<string, string | string[]> = {}): Promise<Answer> {
      const t = Math.floor(Date.now() / 1000);
      const mac = createHmac('sha256', webhookSecret).update(`${t}.${body}`).digest('hex');
      return send(`${url}/webhooks/vault`, 'POST', { 'x-alga-signature': `t=${t},v1=${mac}`, ...headers }, body);
    },
    get: (pathAndQuery: string, apiKey?: string) =>
      send(`${url}${pathAndQuery}`, 'GET', apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    async stop(): Promise<void> {
      await Promise.allSettled([controlPlaneBus.close(), runnerBus.close()]);
      await broker.stop();
      await Promise.allSettled([nats.stop(), database.drop()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type BrokerUnderTest = Awaited<ReturnType<typeof startBroker>>;

async function signerOf(file: string): Promise<Signer> {
  const jwk = JSON.parse(await readFile(file, 'utf8'));
  return signer(jwk.kid, createPrivateKey({ key: jwk, format: 'jwk' }));
}

/** Over node:http, because fetch joins repeated headers. */
function send(url: string, method: string, headers: Record<string, string | string[]>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body: JSON.parse(Buffer.concat(chunks).toString()),
          headers: response.headers,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
