import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import { AlgaError, channels, type InstallResolveReply, type Manifest, type ServiceName } from '@alga/contracts';
import { generateKeys, startNats, testDatabase } from '@alga/local-stack';
import { type ControlPlaneProcess, startControlPlaneProcess } from './control-plane-process.ts';
import { type BrokerPeer, sampleManifest, serveCatalogue, serveSeal } from './peers.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: specs look into replies whose shape is what they check
  readonly body: any;
}

/** A real control-plane between real servers, with peers that speak for broker and registry over the real bus. */
export interface Platform {
  readonly service: ControlPlaneProcess;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly keysDir: string;
  readonly operatorKey: string;
  readonly internalToken: string;
  /** The connections of the services that ask a control-plane, each request over one that may make it. */
  readonly bus: Pick<Bus, 'request' | 'listen'>;
  readonly broker: BrokerPeer;
  /** Ends the broker peer, as if the broker were down. */
  stopBroker(): Promise<void>;
  request(method: string, url: string, body?: unknown, key?: string): Promise<Answer>;
  resolve(tenantId: string, extensionId?: string): Promise<InstallResolveReply>;
  stop(): Promise<void>;
}

/** @param databaseUrl A database of the spec's own; a fresh one unless given. */
export async function startPlatform(published: readonly Manifest[], databaseUrl?: string): Promise<Platform> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const each of stops.reverse()) await each();
  };
  try {
    const keysDir = await mkdtemp(path.join(tmpdir(), 'alga-control-plane-'));
    stops.push(() => rm(keysDir, { recursive: true, force: true }));
    const url = databaseUrl ?? (await freshDatabase(stops));
    const nats = await startNats();
    stops.push(() => nats.stop());
    await generateKeys(keysDir);
    const connect = async (service: ServiceName) => {
      const logger = createLogger({ service, instance: 'spec', level: 'fatal', knownSecrets: new KnownSecrets() });
      const bus = await Bus.connect({ url: nats.url, service, logger });
      stops.push(() => bus.close());
      return bus;
    };
    const [gatewayBus, runnerBus, brokerBus, registryBus] = await Promise.all([
      connect('gateway'),
      connect('runner'),
      connect('secrets-broker'),
      connect('registry'),
    ]);
    const askers: readonly [ServiceName, Bus][] = [
      ['gateway', gatewayBus],
      ['runner', runnerBus],
      ['secrets-broker', brokerBus],
    ];
    const bus: Platform['bus'] = {
      request: (channel, ...rest) => {
        const asker = askers.find(([service]) => channel.producers.includes(service));
        if (asker === undefined) throw new TypeError('none of the connections may make this request');
        return asker[1].request(channel, ...rest);
      },
      listen: (...rest) => gatewayBus.listen(...rest),
    };
    await brokerBus.ensureStreams('events', 'audit');
    const broker = await serveSeal(brokerBus, keysDir);
    serveCatalogue(registryBus, published);
    const service = await startControlPlaneProcess(keysDir, nats.url, url);
    stops.push(() => service.stop());
    const secretText = async (name: string) => (await readFile(path.join(keysDir, name), 'utf8')).trim();
    const operatorKey = await secretText('operator-key');
    return {
      service,
      databaseUrl: url,
      natsUrl: nats.url,
      keysDir,
      operatorKey,
      internalToken: await secretText('internal-token'),
      bus,
      broker,
      stopBroker: () => brokerBus.close(),
      request: (method, url, body, key = operatorKey) => send(`${service.url}${url}`, method, key, body),
      resolve: (tenantId, extensionId = 'ticket-sync') =>
        bus.request(channels.installResolve, { tenantId, extensionId }, { deadlineMs: 5_000 }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function freshDatabase(stops: (() => Promise<unknown>)[]): Promise<string> {
  const database = await testDatabase();
  stops.push(() => database.drop());
  return database.url;
}

async function send(url: string, method: string, key: string, body: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(key === '' ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

/** Everything that the sample manifest declares. */
export const ALL_GRANTS = {
  capabilities: sampleManifest('1.0.0').capabilities,
  egress: sampleManifest('1.0.0').egress ?? [],
};

/** A fresh tenant with the sample installed. */
export async function installSample(platform: Platform, tenantId: string, grants = ALL_GRANTS): Promise<Answer> {
  await platform.request('PUT', `/v1/tenants/${tenantId}`, { displayName: tenantId });
  const body = { version: '1.0.0', config: { api_url: 'https://api.example' }, grants };
  return platform.request('PUT', `/v1/tenants/${tenantId}/installs/ticket-sync`, body);
}

/** The code of the error a request was refused with; `undefined` when it was not. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof AlgaError) return error.code;
    throw error;
  }
}
