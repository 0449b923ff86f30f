import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packFiles, signArtifact } from '@alga/artifact';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import {
  AlgaError,
  type AuditSecretAccess,
  BUNDLE_BUCKET,
  channels,
  type EnvelopeClaims,
  type ExecuteReplyHead,
  type FleetHeartbeat,
  type Manifest,
  type Messages,
  type ServiceName,
  type StorageEntry,
} from '@alga/contracts';
import {
  freePort,
  generateKeys,
  type RunningServer,
  type SupervisedProcess,
  startNats,
  startProcess,
  startRedis,
  waitUntil,
} from '@alga/local-stack';
import { openBlobStore } from '@alga/storage';
import { Redis } from 'ioredis';
import type { JWK } from 'jose';
import type { LoadedArtifact } from '../engine/outcome.ts';
import { BrokerPeer } from './broker-peer.ts';
import { GLUE_ARTIFACT } from './glue-guest.ts';
import { CONFIG, claims, ENVELOPE_TYP, type KeyPair, sign } from './tokens.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
export const RUNNER_ID = 'runner-spec';

const MANIFEST: Manifest = {
  manifestVersion: 1,
  extensionId: 'fixture',
  version: '1.0.0',
  title: 'Fixture',
  runtime: 'component',
  component: 'component.wasm',
  capabilities: [],
};

interface Call {
  readonly url: string;
  readonly claims?: Partial<EnvelopeClaims>;
  readonly head?: Record<string, unknown>;
  readonly headers?: { name: string; value: string }[];
  readonly body?: Uint8Array;
  readonly requestId?: string;
  readonly deadlineMs?: number;
}

export type Answer =
  | { readonly ok: true; readonly head: ExecuteReplyHead; readonly body: Buffer; readonly json: () => unknown }
  | { readonly ok: false; readonly error: AlgaError };

/** A runner process as operators start it, real NATS and Redis, and peers that are real services on the bus. */
export class Platform {
  readonly audit: AuditSecretAccess[] = [];
  readonly beats: FleetHeartbeat[] = [];
  readonly entries = new Map<string, StorageEntry>();
  runner!: SupervisedProcess;
  gateway!: Bus;
  broker!: BrokerPeer;
  brokerBus!: Bus;
  nats!: RunningServer;
  redis!: RunningServer;
  internalToken = '';
  envelopeKeys!: KeyPair;
  brokerKeys!: KeyPair;
  artifactKeys!: KeyPair;
  readonly #buses: Bus[] = [];
  #dir = '';
  #port = 0;

  static async start(env: Record<string, string> = {}): Promise<Platform> {
    const platform = new Platform();
    await platform.#start(env);
    return platform;
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async #start(env: Record<string, string>): Promise<void> {
    this.#dir = await mkdtemp(join(tmpdir(), 'alga-runner-'));
    [this.nats, this.redis] = await Promise.all([startNats(), startRedis()]);
    const keys = (await generateKeys(join(this.#dir, 'keys'))).dir;
    const pair = async (name: string, publicName = name): Promise<KeyPair> => {
      const read = async (file: string) => JSON.parse(await readFile(join(keys, file), 'utf8'));
      const privateJwk = (await read(`${name}.jwk`)) as JWK;
      const {
        keys: [publicJwk],
      } = (await read(`${publicName}-public.jwks`)) as { keys: [JWK] };
      return { kid: privateJwk.kid ?? '', privateJwk, publicJwk };
    };
    this.envelopeKeys = await pair('envelope-signing', 'envelope');
    this.brokerKeys = await pair('broker-signing', 'broker');
    this.artifactKeys = await pair('artifact-signing', 'artifact');
    const { publicJwk: runnerKey } = await pair('runner-identity', 'runner');
    this.internalToken = (await readFile(join(keys, 'internal-token'), 'utf8')).trim();

    this.gateway = await this.#bus('gateway');
    await this.gateway.ensureStreams('events', 'audit');
    this.gateway.listen(channels.fleetHeartbeat, (beat) => void this.beats.push(beat));
    this.brokerBus = await this.#bus('secrets-broker');
    this.broker = new BrokerPeer(this.brokerBus, this.brokerKeys, [runnerKey]);
    await this.brokerBus.consume(
      channels.auditSecretAccess,
      'spec-audit',
      async (batches) => void this.audit.push(...batches.flatMap(({ accesses }) => accesses)),
    );
    this.#serveStorage(await this.#bus('control-plane'));
    await this.#serveArtifact(await this.#bus('registry'));

    this.#port = await freePort();
    this.runner = await startProcess({
      name: 'runner',
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', MAIN],
      env: {
        PATH: process.env.PATH ?? '',
        NATS_URL: this.nats.url,
        REDIS_URL: this.redis.url,
        HTTP_PORT: String(this.#port),
        RUNNER_ID,
        LOG_LEVEL: 'debug',
        RUNNER_IDENTITY_KEY_FILE: join(keys, 'runner-identity.jwk'),
        ENVELOPE_PUBLIC_KEYS_FILE: join(keys, 'envelope-public.jwks'),
        BROKER_PUBLIC_KEYS_FILE: join(keys, 'broker-public.jwks'),
        ARTIFACT_PUBLIC_KEYS_FILE: join(keys, 'artifact-public.jwks'),
        INTERNAL_TOKEN_FILE: join(keys, 'internal-token'),
        ...env,
      },
      logFile: join(this.#dir, 'runner.log'),
      readyUrl: `${this.httpUrl}/readyz`,
      deadlineMs: 20_000,
      runtimeDir: this.#dir,
    });
  }

  /** As a gateway asks for it. */
  async execute(call: Call): Promise<Answer> {
    try {
      const reply = await this.gateway.request(channels.executeOn, await this.frame(call), {
        deadlineMs: call.deadlineMs ?? 15_000,
        params: { runnerId: RUNNER_ID },
      });
      const body = Buffer.from(reply.body);
      return { ok: true, head: reply.head, body, json: () => JSON.parse(body.toString('utf8')) };
    } catch (error) {
      return { ok: false, error: error as AlgaError };
    }
  }

  async json(call: Call): Promise<unknown> {
    const answer = await this.execute(call);
    if (!answer.ok) throw answer.error;
    return answer.json();
  }

  async frame(call: Call) {
    const given = claims({ contentHash: GLUE_ARTIFACT.contentHash, sv: this.broker.version, ...call.claims });
    const { tenantId, extensionId, installId } = given;
    const head = {
      requestId: call.requestId ?? 'request-1',
      tenantId,
      extensionId,
      installId,
      config: CONFIG,
      envelope: await sign(this.envelopeKeys, ENVELOPE_TYP, given),
      http: { method: 'GET', url: call.url, headers: call.headers ?? [], hasBody: call.body !== undefined },
      ...call.head,
    };
    return { head, body: call.body ?? new Uint8Array() };
  }

  async log(): Promise<string> {
    return readFile(this.runner.logFile, 'utf8');
  }

  /** Signs and stores an artifact, and lets the registry peer name it. */
  async publish(artifact: LoadedArtifact, keys = this.artifactKeys) {
    const { contentHash, entry, files, modules, sourceMap } = artifact;
    const pool = { reusable: true } as const;
    const origin = { runtime: 'component', engine: 'native', imports: [], createdAt: new Date() } as const;
    const meta = { ...origin, contentHash, entry, modules, pool, sourceMap } as const;
    const { signature } = await signArtifact(files, meta, keys.privateJwk);
    const blobs = await openBlobStore(this.gateway.connection, BUNDLE_BUCKET, { create: true });
    const object = contentHash.replace('sha256:', '');
    await blobs.put(object, packFiles(files));
    this.#artifacts.set(contentHash, { object, signature });
  }

  /** One command to the runner's Redis. */
  async redisCommand(command: string, ...args: string[]): Promise<unknown> {
    const client = new Redis(this.redis.url, { lazyConnect: true, maxRetriesPerRequest: 0 });
    try {
      await client.connect();
      return await client.call(command, ...args);
    } finally {
      client.disconnect();
    }
  }

  async stop(): Promise<void> {
    await this.runner?.stop();
    await Promise.all(this.#buses.map((bus) => bus.close()));
    await Promise.all([this.nats?.stop(), this.redis?.stop()]);
    await rm(this.#dir, { recursive: true, force: true });
  }

  readonly #artifacts = new Map<string, { object: string; signature: string }>();

  async #bus(service: ServiceName): Promise<Bus> {
    const logger = createLogger({ service, instance: 'spec', level: 'fatal', knownSecrets: new KnownSecrets() });
    const bus = await Bus.connect({ url: this.nats.url, service, logger });
    this.#buses.push(bus);
    return bus;
  }

  async #serveArtifact(bus: Bus): Promise<void> {
    await this.publish(GLUE_ARTIFACT);
    bus.serve(channels.artifactResolve, async (request) => {
      const contentHash = 'contentHash' in request ? request.contentHash : '';
      const artifact = this.#artifacts.get(contentHash);
      if (artifact === undefined) throw new AlgaError('not_found');
      return { extensionId: 'fixture', version: '1.0.0', contentHash, manifest: MANIFEST, ...artifact };
    });
  }

  /** Compare-and-set as the control-plane does it, for one install. */
  #serveStorage(bus: Bus): void {
    bus.serve(channels.storageGet, async ({ key }) => {
      const entry = this.entries.get(key);
      return entry === undefined ? {} : { entry };
    });
    bus.serve(channels.storagePut, async ({ key, value, expectedRevision }): Promise<Messages['storage-put-reply']> => {
      const revision = this.entries.get(key)?.revision ?? 0;
      if (expectedRevision !== undefined && expectedRevision !== revision) return { outcome: 'conflict' };
      this.entries.set(key, { key, value, revision: revision + 1 });
      return { outcome: 'stored', revision: revision + 1 };
    });
    bus.serve(channels.storageDelete, async ({ key, expectedRevision }) => {
      const entry = this.entries.get(key);
      if (entry === undefined) return { outcome: 'missing' };
      if (expectedRevision !== undefined && expectedRevision !== entry.revision) return { outcome: 'conflict' };
      this.entries.delete(key);
      return { outcome: 'deleted' };
    });
    bus.serve(channels.storageList, async ({ prefix }) => ({
      entries: [...this.entries.values()].filter(({ key }) => key.startsWith(prefix)),
    }));
  }
}

/** Waits for a condition; @throws Error when it does not hold within 10 s. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 10_000 }))) throw new Error(`never held: ${condition}`);
}
