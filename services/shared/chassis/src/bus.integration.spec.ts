// Long because it is one list of what a Bus promises, all against the same nats-server.
import {
  AlgaError,
  AUDIT_CONSUMER,
  type AuditSecretAccess,
  type AuditSecretAccesses,
  channels,
  type FleetHeartbeat,
  STREAMS,
} from '@alga/contracts';
import { type RunningServer, startNats } from '@alga/local-stack';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Bus } from './bus.ts';
import { KnownSecrets } from './known-secrets.ts';
import { createLogger } from './logger.ts';
import { until } from './test-support/until.ts';

let nats: RunningServer;
const open: Bus[] = [];

beforeAll(async () => {
  nats = await startNats();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});
afterAll(() => nats.stop());

const logger = createLogger({
  service: 'gateway',
  instance: 'spec',
  level: 'fatal',
  knownSecrets: new KnownSecrets(),
  destination: { write: () => {} },
});

async function bus(service = 'gateway'): Promise<Bus> {
  const opened = await Bus.connect({ url: nats.url, service, logger });
  open.push(opened);
  return opened;
}

const keySha256 = 'a'.repeat(64);
const key = { keyId: 'k1', tenantId: 'acme', scopes: ['invoke' as const] };
const verify = channels.apikeyVerify;

const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'resolved',
    (error: unknown) => (error instanceof AlgaError ? error.code : String(error)),
  );

describe('request and reply', () => {
  it('carries a validated request, its reply, the deadline and the attempt', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    const seen = Promise.withResolvers<{ attempt: number; deadlineMs: number; subject: string; replyTo: string }>();
    server.serve(verify, async (request, info) => {
      expect(request).toEqual({ keySha256 });
      seen.resolve(info);
      return key;
    });
    await server.connection.flush();
    expect(await client.request(verify, { keySha256 }, { deadlineMs: 2_000, attempt: 2 })).toEqual(key);
    expect(await seen.promise).toMatchObject({ attempt: 2, deadlineMs: 2_000, subject: 'alga.v1.apikey.verify' });
  });

  it('lets a message be bound to its own reply subject', async () => {
    const [client, server] = [await bus('registry'), await bus('control-plane')];
    const heard = Promise.withResolvers<string>();
    server.serve(verify, async (_, info) => {
      heard.resolve(info.replyTo);
      return key;
    });
    await server.connection.flush();
    let told = '';
    await client.request(
      verify,
      async (replyTo) => {
        told = replyTo;
        return { keySha256 };
      },
      { deadlineMs: 2_000 },
    );
    expect(await heard.promise).toBe(told);
    expect(told).toMatch(/^_INBOX_registry\./);
  });

  it('turns an AlgaError of the handler into the same error at the requester, without its cause', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    server.serve(verify, async () => {
      throw new AlgaError('rate_limited', 'Slow down.', { retryAfterMs: 700, cause: new Error('inner') });
    });
    await server.connection.flush();
    const error = await client.request(verify, { keySha256 }, { deadlineMs: 2_000 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'rate_limited', retryAfterMs: 700 });
    expect(error).toHaveProperty('message', 'Slow down.');
    expect(error).not.toHaveProperty('cause');
  });

  it('tells nothing of a fault in the handler', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    server.serve(verify, async () => {
      throw new Error('password is hunter22');
    });
    await server.connection.flush();
    const error = await client.request(verify, { keySha256 }, { deadlineMs: 2_000 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'internal' });
    expect(String(error)).not.toContain('hunter22');
  });

  it('answers bytes that are no valid request with bad_request, naming the field', async () => {
    const server = await bus('control-plane');
    server.serve(verify, async () => key);
    await server.connection.flush();
    const raw = await connect({ servers: nats.url, inboxPrefix: '_INBOX_gateway' });
    try {
      for (const payload of ['', '{', '[]', '{"keySha256":1}', '{"keySha256":"a","__proto__":{}}', '\u0000\u00ff']) {
        const reply = await raw.request('alga.v1.apikey.verify', payload, { timeout: 2_000 });
        expect(reply.headers?.get('alga-error')).toBe('bad_request');
        expect(reply.json<{ errors: unknown[] }>().errors.length).toBeGreaterThan(0);
      }
    } finally {
      await raw.close();
    }
  });

  it.each([
    ['JetStream', '$JS.API.STREAM.PURGE.ALGA_EVENTS'],
    ['another channel', 'alga.v1.storage.get'],
    ['a service that may not ask', '_INBOX_runner.abc'],
    ['a prefix that only begins alike', '_INBOX_gateways.abc'],
    ['nobody', ''],
  ])(
    'lends its rights to nobody: a request that names %s for its reply is neither answered nor handled',
    async (_, reply) => {
      const [client, server] = [await bus(), await bus('control-plane')];
      let handled = 0;
      server.serve(verify, async () => {
        handled += 1;
        return key;
      });
      await server.connection.flush();
      const raw = await connect({ servers: nats.url });
      try {
        const heard: string[] = [];
        if (reply !== '')
          raw.subscribe(reply, { callback: (error, message) => void heard.push(error?.message ?? message.subject) });
        for (const payload of [JSON.stringify({ keySha256 }), '{']) {
          raw.publish('alga.v1.apikey.verify', payload, reply === '' ? {} : { reply });
        }
        await raw.flush();
        // One service handles a subject's messages in order: when this is answered, the two before it have been dealt with.
        await client.request(verify, { keySha256 }, { deadlineMs: 2_000 });
        await raw.flush();
        expect(heard).toEqual([]);
        expect(handled).toBe(1);
      } finally {
        await raw.close();
      }
    },
  );

  it('refuses a reply that does not match its schema', async () => {
    const client = await bus();
    const raw = await connect({ servers: nats.url });
    try {
      raw.subscribe('alga.v1.apikey.verify', { callback: (_, message) => void message.respond('{"keyId":""}') });
      await raw.flush();
      expect(await codeOf(client.request(verify, { keySha256 }, { deadlineMs: 2_000 }))).toBe('internal');
    } finally {
      await raw.close();
    }
  });

  it('says at once that nobody listens, that the deadline passed, or that the caller gave up', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    expect(await codeOf(client.request(verify, { keySha256 }, { deadlineMs: 5_000 }))).toBe('unavailable');
    const release = Promise.withResolvers<typeof key>();
    server.serve(verify, () => release.promise);
    await server.connection.flush();
    expect(await codeOf(client.request(verify, { keySha256 }, { deadlineMs: 50 }))).toBe('deadline_exceeded');
    const controller = new AbortController();
    const pending = codeOf(client.request(verify, { keySha256 }, { deadlineMs: 5_000, signal: controller.signal }));
    controller.abort();
    expect(await pending).toBe('execution_unknown');
    release.resolve(key);
  });

  it('answers overloaded beyond its limit without starting the work', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    const release = Promise.withResolvers<typeof key>();
    let started = 0;
    server.serve(
      verify,
      () => {
        started += 1;
        return release.promise;
      },
      { maxInFlight: 1 },
    );
    await server.connection.flush();
    const first = codeOf(client.request(verify, { keySha256 }, { deadlineMs: 5_000 }));
    await until(() => started === 1);
    expect(await codeOf(client.request(verify, { keySha256 }, { deadlineMs: 5_000 }))).toBe('overloaded');
    expect(started).toBe(1);
    release.resolve(key);
    expect(await first).toBe('resolved');
  });

  it('refuses a message over the payload limit before sending it, with the limit', async () => {
    const client = await bus();
    const head = {
      requestId: 'r'.repeat(16),
      tenantId: 'acme',
      extensionId: 'e',
      installId: 'i',
      config: '{}',
      envelope: 'aaaaaaaa.bbbbbbbb.cccccccc',
      http: { method: 'GET', url: '/', headers: [], hasBody: true },
    };
    const error = await client
      .request(channels.execute, { head, body: new Uint8Array(2 * 1024 * 1024) }, { deadlineMs: 1_000 })
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'body_too_large', limit: client.maxPayload });
  });
});

describe('draining', () => {
  it('loses no request that was in flight (I10)', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    const release = Promise.withResolvers<void>();
    let started = 0;
    server.serve(verify, async () => {
      started += 1;
      await release.promise;
      return key;
    });
    await server.connection.flush();
    const calls = Array.from({ length: 50 }, () =>
      codeOf(client.request(verify, { keySha256 }, { deadlineMs: 10_000 })),
    );
    await until(() => started === 50);
    const stopped = server.stopIntake(10_000).then(() => server.close());
    release.resolve();
    await stopped;
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['resolved']));
  });

  it('does not wait for a handler beyond its deadline', async () => {
    const [client, server] = [await bus(), await bus('control-plane')];
    let started = false;
    const never = Promise.withResolvers<typeof key>();
    server.serve(verify, () => {
      started = true;
      return never.promise;
    });
    await server.connection.flush();
    const call = codeOf(client.request(verify, { keySha256 }, { deadlineMs: 10_000 }));
    await until(() => started);
    await server.stopIntake(20);
    never.resolve(key);
    expect(await call).toBe('resolved');
  });
});

describe('events', () => {
  const heartbeat: FleetHeartbeat = { runnerId: 'r1', sequence: 1, inFlight: 0, capacity: 8, draining: false };
  const access: AuditSecretAccess = {
    id: 'a'.repeat(24),
    at: 1,
    tenantId: 'acme',
    installId: 'i',
    extensionId: 'e',
    requestId: 'r'.repeat(16),
    runnerId: 'r1',
    operation: 'secrets.get',
    key: 'k',
    outcome: 'read',
  };

  const idsOf = (events: readonly AuditSecretAccesses[]) =>
    events.flatMap(({ accesses }) => accesses).map(({ id }) => id);

  it('reach every listener', async () => {
    const [sender, one, two] = [await bus('runner'), await bus(), await bus()];
    const heard: FleetHeartbeat[] = [];
    for (const listener of [one, two]) {
      listener.listen(channels.fleetHeartbeat, (event) => void heard.push(event));
      await listener.connection.flush();
    }
    await sender.publish(channels.fleetHeartbeat, heartbeat);
    await until(() => heard.length === 2);
    expect(heard).toEqual([heartbeat, heartbeat]);
  });

  it('are not answered: where a durable one is refused, its publisher still hears from JetStream alone', async () => {
    const listener = await bus('runner');
    listener.listen(channels.secretsRotated, () => undefined);
    await listener.connection.flush();
    const raw = await connect({ servers: nats.url });
    try {
      const answers: string[] = [];
      raw.subscribe('_INBOX_secrets_broker.ack', { callback: (_, message) => void answers.push(message.string()) });
      raw.publish('alga.v1.event.secrets.rotated.acme.not-an-event', '{}', { reply: '_INBOX_secrets_broker.ack' });
      await raw.flush();
      const heard = Promise.withResolvers<void>();
      listener.listen(channels.fleetHeartbeat, () => heard.resolve());
      await listener.connection.flush();
      const beat = { runnerId: 'r', sequence: 1, inFlight: 0, capacity: 1, draining: false };
      raw.publish('alga.v1.fleet.heartbeat', JSON.stringify(beat));
      await heard.promise;
      await listener.connection.flush();
      await raw.flush();
      expect(answers.filter((answer) => answer.includes('bad_request'))).toEqual([]);
    } finally {
      await raw.close();
    }
  });

  it('that are durable come again until handled, also to a consumer that starts later', async () => {
    const [sender, broker] = [await bus('runner'), await bus('secrets-broker')];
    await broker.ensureStreams('events', 'audit');
    await broker.ensureStreams('events', 'audit'); // a second process at its start
    await sender.publish(channels.auditSecretAccess, { accesses: [access] }, {}, access.id);
    await sender.publish(channels.auditSecretAccess, { accesses: [access] }, {}, access.id); // dropped by its id
    const deliveries: string[] = [];
    await broker.consume(channels.auditSecretAccess, AUDIT_CONSUMER, async (events) => {
      deliveries.push(...idsOf(events));
      if (deliveries.length === 1) throw new Error('database is away');
    });
    await until(() => deliveries.length === 2);
    await broker.stopIntake(1_000);
    expect(deliveries).toEqual([access.id, access.id]);
  });

  it('that have arrived are handed over together, and come again one by one when their handler failed', async () => {
    const own = await startNats();
    const broker = await Bus.connect({ url: own.url, service: 'secrets-broker', logger });
    try {
      await broker.ensureStreams('audit');
      const ids = Array.from({ length: 20 }, (_, at) => `audit-record-${String(at).padStart(6, '0')}`);
      for (const id of ids) await broker.publish(channels.auditSecretAccess, { accesses: [{ ...access, id }] });
      const refused: string[] = [];
      const handled: string[] = [];
      const { consumers } = await jetstreamManager(broker.connection);
      const allHere = async () =>
        (await consumers.info(STREAMS.audit.name, AUDIT_CONSUMER)).num_ack_pending === ids.length;
      await broker.consume(channels.auditSecretAccess, AUDIT_CONSUMER, async (events) => {
        if (handled.length === 0) await until(allHere); // the first takes its time
        if (events.length === 1) return void handled.push(...idsOf(events));
        refused.push(...idsOf(events));
        throw new Error('one of them is bad');
      });
      await until(() => handled.length === ids.length);
      expect(handled.toSorted()).toEqual(ids);
      expect(refused.length).toBeGreaterThan(1);
      expect(new Set(refused).size).toBe(refused.length);
    } finally {
      await broker.close();
      await own.stop();
    }
  });

  it('that will never match their schema come once, and hold up nobody, however many they are', async () => {
    const own = await startNats();
    const broker = await Bus.connect({ url: own.url, service: 'secrets-broker', logger });
    const raw = await connect({ servers: own.url });
    try {
      await broker.ensureStreams('audit');
      // Above what a consumer may leave unacknowledged: 1,000.
      for (let index = 0; index < 1_050; index++) raw.publish('alga.v1.audit.secret-access', `{"poison":${index}}`);
      await raw.flush();
      const taken = Promise.withResolvers<void>();
      await broker.consume(channels.auditSecretAccess, AUDIT_CONSUMER, async () => taken.resolve());
      await broker.publish(channels.auditSecretAccess, { accesses: [access] });
      await taken.promise;
      const { consumers } = await jetstreamManager(broker.connection);
      await until(async () => (await consumers.info(STREAMS.audit.name, AUDIT_CONSUMER)).num_ack_pending === 0);
    } finally {
      await Promise.all([raw.close(), broker.close()]);
      await own.stop();
    }
  });

  it('that are over a limit are refused as too large: the limit of the server and the one of the stream', async () => {
    const own = await startNats({ maxPayload: 4_096 });
    const sender = await Bus.connect({ url: own.url, service: 'runner', logger });
    try {
      await sender.ensureStreams('audit');
      const publish = (count: number) =>
        codeOf(sender.publish(channels.auditSecretAccess, { accesses: Array(count).fill(access) }));
      expect([await publish(8), await publish(32)]).toEqual(['resolved', 'body_too_large']);
      const { streams } = await jetstreamManager(sender.connection);
      await streams.update(STREAMS.audit.name, { max_msg_size: 512 });
      expect([await publish(1), await publish(8)]).toEqual(['resolved', 'body_too_large']);
    } finally {
      await sender.close();
      await own.stop();
    }
  });

  it('that cannot be stored are refused to the publisher', async () => {
    const sender = await bus('runner');
    const other = await startNats();
    try {
      const lonely = await Bus.connect({ url: other.url, service: 'runner', logger });
      expect(await codeOf(lonely.publish(channels.auditSecretAccess, { accesses: [access] }))).toBe('unavailable');
      await lonely.close();
    } finally {
      await other.stop();
    }
    expect(sender.connected).toBe(true);
  });
});
