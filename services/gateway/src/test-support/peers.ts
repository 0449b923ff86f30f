import { setTimeout as delay } from 'node:timers/promises';
import { Bus, createLogger, KnownSecrets, type RequestInfo } from '@alga/chassis';
import {
  AlgaError,
  type ApikeyVerifyReply,
  channels,
  type ExecuteReplyHead,
  type ExecuteRequestHead,
  type Framed,
  resolveLimits,
} from '@alga/contracts';

type Request = Framed<ExecuteRequestHead> & { readonly subject: string };
type Guest = (request: Request, info: RequestInfo) => Promise<Partial<ExecuteReplyHead> & { body?: Uint8Array }>;

const HEARTBEAT_MS = 100;

async function connect(natsUrl: string, service: string): Promise<Bus> {
  const logger = createLogger({
    service,
    instance: 'peer',
    level: 'fatal',
    knownSecrets: new KnownSecrets(),
    destination: { write: () => {} },
  });
  return Bus.connect({ url: natsUrl, service, logger });
}

/** Answers as the control plane does, from two tables. */
export async function controlPlanePeer(natsUrl: string) {
  const bus = await connect(natsUrl, 'control-plane');
  /** Hex SHA-256 of an API key -> what it may do. */
  const keys = new Map<string, ApikeyVerifyReply>();
  /** `tenant/extension` -> active or suspended. */
  const installs = new Map<string, { suspended?: boolean; timeoutMs?: number }>();
  bus.serve(channels.apikeyVerify, async ({ keySha256 }) => {
    const key = keys.get(keySha256);
    if (key === undefined) throw new AlgaError('unauthenticated');
    return key;
  });
  bus.serve(channels.installResolve, async ({ tenantId, extensionId }) => {
    const install = installs.get(`${tenantId}/${extensionId}`);
    if (install === undefined) throw new AlgaError('extension_not_found');
    if (install.suspended === true) throw new AlgaError('install_suspended');
    return {
      tenantId,
      extensionId,
      installId: `${extensionId}-1`,
      version: '1.2.3',
      contentHash: `sha256:${'0'.repeat(64)}`,
      config: '{"region":"eu"}',
      configVersion: 4,
      limits: resolveLimits(install.timeoutMs === undefined ? {} : { timeoutMs: install.timeoutMs }),
      secretsEnvelope: { token: 'aaaaaaaa.bbbbbbbb.cccccccc', version: 7, expiresAt: Date.now() + 60_000, keyId: 'k1' },
    };
  });
  await bus.connection.flush();
  return { keys, installs, close: () => bus.close() };
}

export interface RunnerPeer {
  readonly id: string;
  /** Every execute request that arrived, in order. */
  readonly requests: Request[];
  guest: Guest;
  /** As a process that is killed: the connection breaks, heartbeats end, calls in flight are never answered. */
  die(): Promise<void>;
  /** No longer takes calls, while its heartbeats still say that it would. */
  leave(): Promise<void>;
  /** The next heartbeats say so; calls are still served. */
  drain(): void;
  /** As a process that ends in order: drains, says so, and leaves. */
  close(): Promise<void>;
}

/** Answers as a runner does; its guest echoes the body unless told otherwise. */
export async function runnerPeer(natsUrl: string, id: string): Promise<RunnerPeer> {
  const bus = await connect(natsUrl, 'runner');
  const stopped = new AbortController();
  let draining = false;
  let sequence = 0;
  const beat = () => {
    sequence += 1;
    return bus.publish(channels.fleetHeartbeat, { runnerId: id, sequence, inFlight: 0, capacity: 64, draining });
  };
  const peer: RunnerPeer = {
    id,
    requests: [],
    guest: async ({ head, body }) => ({ headers: contentTypeOf(head), body }),
    async die() {
      stopped.abort();
      await bus.connection.close();
    },
    leave: () => bus.stopIntake(1_000),
    drain() {
      draining = true;
    },
    async close() {
      if (bus.connection.isClosed()) return;
      stopped.abort();
      draining = true;
      await beat();
      await bus.stopIntake(1_000);
      await bus.close();
    },
  };
  const serve = async (framed: Framed<ExecuteRequestHead>, info: RequestInfo): Promise<Framed<ExecuteReplyHead>> => {
    const request = { ...framed, subject: info.subject };
    peer.requests.push(request);
    const { body = new Uint8Array(0), ...head } = await peer.guest(request, info);
    const filled: ExecuteReplyHead = {
      requestId: request.head.requestId,
      runnerId: id,
      status: 200,
      headers: [],
      hasBody: body.length > 0,
      runtime: 'component',
      version: '1.2.3',
      configVersion: 4,
      secretsVersion: 7,
      guestMs: 1.25,
      ...head,
    };
    return { head: filled, body };
  };
  bus.serve(channels.execute, serve);
  bus.serve(channels.executeOn, serve, { params: { runnerId: id } });
  await bus.connection.flush();
  void (async () => {
    while (!stopped.signal.aborted) {
      await beat();
      await delay(HEARTBEAT_MS, undefined, { signal: stopped.signal }).catch(() => {});
    }
  })();
  return peer;
}

const contentTypeOf = (head: ExecuteRequestHead) => head.http.headers.filter(({ name }) => name === 'content-type');
