import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import { AlgaError, type ApikeyVerifyReply, channels } from '@alga/contracts';
import { generateKeys, type SupervisedProcess, startNats, startProcess, testDatabase } from '@alga/local-stack';
import type { JWK } from 'jose';

const MAIN = path.join(import.meta.dirname, '..', 'main.ts');
const START_DEADLINE_MS = 60_000;

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The registry as a process of its own, against a real Postgres and a real NATS. */
export interface RunningRegistry {
  readonly origin: string;
  readonly process: SupervisedProcess;
  /** Another service on the bus, which also answers for the API keys as control-plane does. */
  readonly peer: Bus;
  /** What artifacts are verified with. */
  readonly publicKeys: readonly JWK[];
  post(body: Uint8Array, options: { readonly key: string; readonly type?: string }): Promise<Answer>;
  /** Publishes with `accept: application/x-ndjson`: the lines, as they came. */
  postForProgress(body: Uint8Array, key: string): Promise<{ readonly type: string; readonly lines: unknown[] }>;
  get(pathname: string, key: string): Promise<Answer>;
  stop(): Promise<void>;
}

/** @param env settings beside those that every registry needs. */
export async function startRegistry(
  apiKeys: Readonly<Record<string, ApikeyVerifyReply>>,
  env: Readonly<Record<string, string>> = {},
): Promise<RunningRegistry> {
  const undo: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const dir = await mkdtemp(path.join(tmpdir(), 'alga-registry-'));
    undo.push(() => rm(dir, { recursive: true, force: true }));
    const database = await testDatabase();
    undo.push(() => database.drop());
    const nats = await startNats();
    undo.push(() => nats.stop());
    const peer = await playControlPlane(nats.url, apiKeys);
    undo.push(() => peer.close());
    const keysDir = path.join(dir, 'keys');
    await generateKeys(keysDir);
    const logFile = path.join(dir, 'registry.log');
    const registry = await startProcess({
      name: 'registry',
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', MAIN],
      env: {
        NATS_URL: nats.url,
        HTTP_PORT: '0',
        DATABASE_URL: database.url,
        ARTIFACT_SIGNING_KEY_FILE: path.join(keysDir, 'artifact-signing.jwk'),
        ...env,
      },
      logFile,
      isReady: async () => (await readFile(logFile, 'utf8')).includes('"msg":"ready"'),
      deadlineMs: START_DEADLINE_MS,
      runtimeDir: path.join(dir, 'runtime'),
    });
    undo.push(() => registry.stop());
    const origin = await originOf(logFile);
    const jwks = JSON.parse(await readFile(path.join(keysDir, 'artifact-public.jwks'), 'utf8')) as { keys: JWK[] };
    return { origin, process: registry, peer, publicKeys: jwks.keys, ...client(origin), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function playControlPlane(url: string, apiKeys: Readonly<Record<string, ApikeyVerifyReply>>): Promise<Bus> {
  const logger = createLogger({
    service: 'control-plane',
    instance: 'spec',
    level: 'fatal',
    knownSecrets: new KnownSecrets(),
    destination: { write: () => {} },
  });
  const bus = await Bus.connect({ url, service: 'control-plane', logger });
  const hashed = Object.entries(apiKeys).map(
    ([key, identity]) => [createHash('sha256').update(key).digest('hex'), identity] as const,
  );
  const byHash = new Map(hashed);
  bus.serve(channels.apikeyVerify, async ({ keySha256 }) => {
    const identity = byHash.get(keySha256);
    if (identity === undefined) throw new AlgaError('unauthenticated');
    return identity;
  });
  return bus;
}

/** The port is the system's choice; the log says which. */
async function originOf(logFile: string): Promise<string> {
  const address = /"address":"([^"]+)"/.exec(await readFile(logFile, 'utf8'))?.[1];
  if (address === undefined) throw new Error('the registry does not say where it listens');
  return address;
}

function client(origin: string): Pick<RunningRegistry, 'post' | 'postForProgress' | 'get'> {
  const answerOf = async (response: Response): Promise<Answer> => ({
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
  });
  const bearer = (key: string) => (key === '' ? undefined : { authorization: `Bearer ${key}` });
  return {
    async post(body, { key, type = 'application/zstd' }) {
      const headers = { 'content-type': type, ...bearer(key) };
      return answerOf(await fetch(`${origin}/v1/bundles`, { method: 'POST', headers, body: new Uint8Array(body) }));
    },
    async postForProgress(body, key) {
      const headers = { 'content-type': 'application/zstd', accept: 'application/x-ndjson', ...bearer(key) };
      const response = await fetch(`${origin}/v1/bundles`, { method: 'POST', headers, body: new Uint8Array(body) });
      const lines = (await response.text()).trimEnd().split('\n');
      return { type: response.headers.get('content-type') ?? '', lines: lines.map((line) => JSON.parse(line)) };
    },
    async get(pathname, key) {
      return answerOf(await fetch(`${origin}${pathname}`, { headers: { ...bearer(key) } }));
    },
  };
}
