// One file, though long: each test needs the platform that is started at its head, and a second start costs 10 s.
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AlgaError, channels, decodeFrame, type Framed, resolveLimits } from '@alga/contracts';
import { ROUTES, THROWN, throwFrames } from '@alga/fixtures';
import { guestArtifact } from './engine/fixtures/harness.ts';
import { GLUE_ARTIFACT } from './test-support/glue-guest.ts';
import { type Answer, Platform, RUNNER_ID, until } from './test-support/platform.ts';
import { CONFIG, ENVELOPE_TYP, sign, signingKeys } from './test-support/tokens.ts';

let platform: Platform;
let api: Server;
let apiOrigin: string;
/** Requests for `/never`: unanswered for as long as their callers wait. */
let unanswered = 0;

beforeAll(async () => {
  api = createServer((request, response) => {
    if (request.url !== '/never') return void response.writeHead(204).end();
    unanswered += 1;
    response.once('close', () => {
      unanswered -= 1;
    });
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
  apiOrigin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  platform = await Platform.start({ EGRESS_PRIVATE_ORIGINS: apiOrigin });
}, 60_000);

afterAll(async () => {
  await platform.stop();
  await new Promise((resolve) => api.close(resolve));
}, 30_000);

beforeEach(() => {
  platform.broker.failure = undefined;
  platform.broker.tamper = {};
  platform.broker.signWith = platform.brokerKeys;
});

/** The setting MAX_IN_FLIGHT_PER_TENANT, where nothing is set: half of what a runner takes. */
const MAX_OF_ONE_TENANT = 32;

const codeOf = (answer: Answer): string => (answer.ok ? `status ${answer.head.status}` : answer.error.code);

describe('an execution', () => {
  it('carries request and response through unchanged, and says what it ran under', async () => {
    const body = Buffer.from([0, 255, 10, 13, 128]);
    const answer = await platform.execute({ url: '/echo', body, headers: [{ name: 'x-a', value: 'b' }] });
    expect(answer).toMatchObject({
      ok: true,
      head: {
        requestId: 'request-1',
        runnerId: RUNNER_ID,
        status: 200,
        headers: [{ name: 'x-a', value: 'b' }],
        hasBody: true,
        version: '1.0.0',
        configVersion: 3,
        secretsVersion: 7,
      },
    });
    expect(answer.ok && answer.body).toEqual(body);
  });

  it('is taken from the queue that all runners share, too', async () => {
    const reply = await platform.gateway.request(channels.execute, await platform.frame({ url: '/context' }), {
      deadlineMs: 15_000,
    });
    expect(reply.head).toMatchObject({ runnerId: RUNNER_ID, status: 200 });
  });

  it('gives the guest the ids and the configuration of its envelope', async () => {
    expect(await platform.json({ url: '/context' })).toEqual({
      requestId: 'request-1',
      tenantId: 'acme',
      extensionId: 'fixture',
      installId: 'inst-1',
      versionId: '1.0.0',
    });
    expect(await platform.json({ url: '/config' })).toEqual({
      region: { ok: '"eu"' },
      proto: { ok: '"plain"' },
      none: {},
      all: { ok: CONFIG },
    });
  });

  it('stores, compares and sets, lists and deletes bytes', async () => {
    expect(await platform.json({ url: '/storage' })).toEqual([
      { error: 'missing' },
      { ok: '1' },
      { error: 'conflict' },
      { key: 'cursor', value: [1, 2, 255], revision: '1' },
      { ok: ['cursor'] },
      { error: 'conflict' },
      {},
    ]);
  });

  it('fetches from allowed origins only', async () => {
    const to = (origin: string) => ({ url: '/fetch', headers: [{ name: 'to', value: `${origin}/` }] });
    expect(await platform.json({ ...to(apiOrigin), claims: { egress: [apiOrigin] } })).toEqual({ ok: 204 });
    expect(await platform.json({ ...to(apiOrigin), claims: { egress: [] } })).toEqual({ error: 'not-allowed' });
  });

  it.each<[string, string, object]>([
    ['guest_trap', '/throw', {}],
    ['guest_response_invalid', '/bad-status', {}],
    ['guest_timeout', '/loop', { limits: resolveLimits({ timeoutMs: 300 }) }],
  ])('that fails is %s, with nothing of the guest in the answer', async (code, url, claims) => {
    const answer = await platform.execute({ url, claims });
    expect(codeOf(answer)).toBe(code);
    expect(JSON.stringify(answer)).not.toContain('guest words');
  });

  it('is answered on HTTP, with the internal token alone, by the same code', async () => {
    const frame = channels.execute.request.encode((await platform.frame({ url: '/context' })) as never);
    const post = (headers: Record<string, string>, body: Uint8Array = frame) =>
      fetch(`${platform.httpUrl}/v1/execute`, { method: 'POST', headers, body: Buffer.from(body) });
    const type = { 'content-type': 'application/octet-stream' };
    const known = { ...type, authorization: `Bearer ${platform.internalToken}` };

    const answer = await post(known);
    expect(answer.status).toBe(200);
    const decoded = decodeFrame(new Uint8Array(await answer.arrayBuffer()));
    const { head, body } = (decoded.ok ? decoded.value : undefined) as Framed<{ runnerId: string }>;
    expect(head.runnerId).toBe(RUNNER_ID);
    expect(JSON.parse(Buffer.from(body).toString())).toEqual(await platform.json({ url: '/context' }));

    const refusal = async (response: Response) => [response.status, ((await response.json()) as { code: string }).code];
    expect(await refusal(await post(type))).toEqual([401, 'unauthenticated']);
    expect(await refusal(await post({ ...type, authorization: 'Bearer wrong' }))).toEqual([401, 'unauthenticated']);
    expect(await refusal(await post({ ...known, 'content-type': 'application/json' }))).toEqual([
      415,
      'unsupported_media_type',
    ]);
    expect(await refusal(await post(known, Buffer.from('nonsense')))).toEqual([400, 'bad_request']);
  });
});

describe('authority', () => {
  it.each<[string, Record<string, unknown>]>([
    ['/tenantId', { tenantId: 'globex' }],
    ['/installId', { installId: 'inst-2' }],
    ['/extensionId', { extensionId: 'other' }],
    ['/config', { config: '{"region":"us"}' }],
  ])('comes from the envelope: a message that says another %s is refused', async (field, head) => {
    const answer = await platform.execute({ url: '/context', head });
    expect(answer).toMatchObject({ ok: false, error: { code: 'envelope_mismatch', errors: [{ field }] } });
  });

  it('is refused when forged or expired', async () => {
    const forged = await sign(await signingKeys(), ENVELOPE_TYP, {});
    expect(codeOf(await platform.execute({ url: '/echo', head: { envelope: forged } }))).toBe('envelope_invalid');
    const past = Math.floor(Date.now() / 1000) - 90;
    const expired = await platform.execute({ url: '/echo', claims: { iat: past, exp: past + 60 } });
    expect(codeOf(expired)).toBe('envelope_expired');
  });

  it('I6: a revoked capability is refused on the next call, and the denial is audited', async () => {
    const requestId = 'request-revoked';
    expect(await platform.json({ url: '/secret' })).toMatchObject({ value: { ok: 'canary-value-one' } });
    expect(await platform.json({ url: '/secret', requestId, claims: { capabilities: ['secrets.list'] } })).toEqual({
      value: { error: 'denied' },
      keys: { ok: ['api_key'] },
    });
    await until(() => platform.audit.filter((event) => event.requestId === requestId).length === 2);
    const [get, list] = platform.audit.filter((event) => event.requestId === requestId);
    expect(get).toMatchObject({ operation: 'secrets.get', key: 'api_key', outcome: 'denied', runnerId: RUNNER_ID });
    expect(list).toMatchObject({ operation: 'secrets.list', outcome: 'read', secretsVersion: 7 });
  });

  it('without any capability leaves every host function denied, and log lines unwritten', async () => {
    const none = { claims: { capabilities: [] } };
    expect(await platform.json({ url: '/config', ...none })).toMatchObject({ all: { error: 'denied' } });
    expect(await platform.json({ url: '/fetch', headers: [{ name: 'to', value: apiOrigin }], ...none })).toEqual({
      error: 'denied',
    });
    expect(await platform.json({ url: '/log', ...none })).toBe('logged');
    expect(codeOf(await platform.execute({ url: '/context', ...none }))).toBe('guest_trap');
    expect(await platform.log()).not.toContain('first line');
  });

  it('I9: an artifact that is unknown, signed by another key or changed is not run', async () => {
    const hash = (digit: string) => `sha256:${digit.repeat(64)}`;
    await platform.publish({ ...GLUE_ARTIFACT, contentHash: hash('b') }, await signingKeys());
    for (const contentHash of [hash('b'), hash('c')]) {
      const answer = await platform.execute({ url: '/context', claims: { contentHash } });
      expect(codeOf(answer)).toBe('artifact_rejected');
    }
  });
});

describe('secrets', () => {
  it('are what the install has, and nothing that is asked for in a strange way', async () => {
    expect(await platform.json({ url: '/secret' })).toEqual({
      value: { ok: 'canary-value-one' },
      keys: { ok: ['api_key'] },
    });
    const odd = (await platform.json({ url: '/odd-secrets' })) as unknown[];
    expect(odd).toEqual(odd.map(() => ({ error: 'missing' })));
  });

  it('I1: a call whose floor has risen reads the new value, with no event at all', async () => {
    await platform.json({ url: '/secret' });
    platform.broker.version += 1;
    platform.broker.values.set('api_key', 'canary-value-two');
    const answer = await platform.execute({ url: '/secret' });
    expect(answer.ok && answer.json()).toMatchObject({ value: { ok: 'canary-value-two' } });
    expect(answer.ok && answer.head.secretsVersion).toBe(platform.broker.version);
  });

  it('are forgotten on a rotation event', async () => {
    await platform.json({ url: '/secret' });
    const old = platform.broker.version;
    platform.broker.version += 1;
    platform.broker.values.set('api_key', 'canary-value-three');
    const ids = { tenantId: 'acme', installId: 'inst-1' };
    const event = { ...ids, secretsVersion: platform.broker.version, cause: 'webhook', at: Date.now() } as const;
    await platform.brokerBus.publish(channels.secretsRotated, event, ids);
    // The floor of these calls is still the old one: only the event can make the difference.
    await until(async () => {
      const { value } = (await platform.json({ url: '/secret', claims: { sv: old } })) as { value: { ok?: string } };
      return value.ok === 'canary-value-three';
    });
  });

  it('that cannot be had are 503 with a time to come back, and never missing', async () => {
    platform.broker.failure = new AlgaError('secrets_unavailable', undefined, { retryAfterMs: 1_700 });
    const claims = { installId: 'inst-down' };
    expect(await platform.json({ url: '/secret', claims })).toEqual({
      value: { error: 'unavailable' },
      keys: { error: 'unavailable' },
    });
    const answer = await platform.execute({ url: '/need-secret', claims });
    expect(answer).toMatchObject({ ok: false, error: { code: 'secrets_unavailable', retryAfterMs: 1_700 } });
  });

  it.each<[string, AlgaError, string]>([
    ['a revoked capability', new AlgaError('forbidden'), 'denied'],
    ['a suspended install', new AlgaError('install_suspended'), 'denied'],
    ['an uninstalled extension', new AlgaError('extension_not_found'), 'denied'],
    ['an expired envelope', new AlgaError('envelope_expired'), 'expired'],
    ['a broker at its limit', new AlgaError('overloaded'), 'unavailable'],
    ['a fault of the broker', new AlgaError('internal'), 'internal'],
  ])('refused by the broker for %s are told so to the guest', async (_, failure, error) => {
    platform.broker.failure = failure;
    const answer = await platform.json({ url: '/secret', claims: { installId: 'inst-refused' } });
    expect(answer).toMatchObject({ value: { error } });
  });

  it.each<[string, Record<string, unknown>]>([
    ['another runner', { aud: 'runner-other' }],
    ['another proof', { proofJti: 'A'.repeat(22) }],
    ['another token', { tokenSha256: 'a'.repeat(64) }],
    ['another tenant', { tenantId: 'globex' }],
    ['another install', { installId: 'inst-2' }],
    ['an earlier time', { iat: 1_700_000_000, exp: 1_700_000_030 }],
    ['too long a time', { exp: Math.floor(Date.now() / 1000) + 300 }],
  ])('are not taken from a reply that was made for %s', async (_, tamper) => {
    platform.broker.tamper = tamper;
    const answer = await platform.json({ url: '/secret', claims: { installId: 'inst-tampered' } });
    expect(answer).toMatchObject({ value: { error: 'internal' } });
  });

  it('are not taken from a reply that another key signed, nor below the version floor', async () => {
    platform.broker.signWith = await signingKeys();
    const claims = { installId: 'inst-forged' };
    expect(await platform.json({ url: '/secret', claims })).toMatchObject({ value: { error: 'internal' } });
    platform.broker.signWith = platform.brokerKeys;
    platform.broker.tamper = { secretsVersion: platform.broker.version - 1 };
    expect(await platform.json({ url: '/secret', claims })).toMatchObject({ value: { error: 'unavailable' } });
  });

  it('I3: appear in no log line, even where the guest writes them, no NATS message and no Redis byte', async () => {
    platform.broker.values.set('api_key', 'canary-value-four');
    platform.broker.version += 1;
    const wire: string[] = [];
    const capture = platform.gateway.connection.subscribe('>', {
      callback: (_error, message) => void wire.push(Buffer.from(message.data).toString('latin1')),
    });
    await platform.json({ url: '/tell-secret', requestId: 'request-tell' });
    await until(async () => (await platform.log()).includes('it is [secret]'));
    await until(() => platform.audit.some(({ requestId }) => requestId === 'request-tell'));
    const keys = await platform.redisCommand('KEYS', '*');
    expect(keys).toEqual(['alga:l2:acme:inst-1']);
    const dump = String(await platform.redisCommand('GET', 'alga:l2:acme:inst-1'));
    capture.unsubscribe();
    expect(wire.some((text) => text.includes('"sealed"'))).toBe(true);
    for (const sink of [await platform.log(), dump, JSON.stringify(platform.audit), wire.join('\n')]) {
      expect(sink).not.toContain('canary-value');
      expect(sink).not.toContain(Buffer.from('canary-value').toString('base64').slice(0, 14));
    }
  });
});

describe('a component as the registry publishes it', () => {
  it('reads its secret, its configuration and its storage through the same host', async () => {
    const artifact = await guestArtifact();
    await platform.publish(artifact);
    const { contentHash } = artifact;
    const claims = { contentHash, installId: 'inst-real' };
    platform.broker.values.set('api_key', 'canary-value-five');
    expect(await platform.json({ url: '/secret', claims })).toEqual({ value: 'canary-value-five', keys: ['api_key'] });
    expect(await platform.json({ url: '/config', claims })).toMatchObject({ region: '"eu"' });
    expect(await platform.json({ url: '/storage', claims })).toMatchObject({
      revision: '1',
      missing: { error: 'missing' },
    });
    const first = { calls: 1, leftover: '' };
    expect(await platform.json({ url: '/state', claims })).toEqual(first);
    expect(await platform.json({ url: '/state', claims })).toEqual(first);
    platform.broker.values.set('api_key', 'canary-value-four');
  }, 180_000);
});

describe('a component that fails', () => {
  // A guest's first call compiles it, on a machine that may be busy.
  const AMPLE_MS = 25_000;
  const component = async (kind: 'starlingmonkey' | 'c' = 'starlingmonkey') => {
    const artifact = await guestArtifact(kind);
    await platform.publish(artifact);
    return artifact.contentHash;
  };
  const linesOf = async (requestId: string): Promise<Record<string, unknown>[]> =>
    (await platform.log())
      .split('\n')
      .filter((line) => line.includes(`"${requestId}"`))
      .map((line) => JSON.parse(line));

  it('tells its author where, once, in the lines of the source map, and its caller nothing', async () => {
    const requestId = 'request-thrown';
    const answer = await platform.execute({
      url: ROUTES.throw,
      requestId,
      deadlineMs: AMPLE_MS,
      claims: {
        contentHash: await component(),
        installId: 'inst-thrown',
        limits: resolveLimits({ timeoutMs: AMPLE_MS, cpuMs: AMPLE_MS }),
      },
    });
    expect(codeOf(answer)).toBe('guest_trap');
    expect(JSON.stringify(answer)).not.toContain(THROWN);
    expect(!answer.ok && String(answer.error)).not.toContain(THROWN);
    await until(async () => (await linesOf(requestId)).some(({ failure }) => failure !== undefined));
    const lines = await linesOf(requestId);
    // Beside what it wrote on standard error itself, which it may.
    const failures = lines.filter(({ source, code }) => source === 'guest' && code !== undefined);
    expect(failures).toHaveLength(1);
    // The operator's own line about the failure is without the guest's words.
    expect(JSON.stringify(lines.filter(({ source }) => source !== 'guest'))).not.toContain(THROWN);
    const [{ frames, ...line } = {}] = failures;
    expect(line).toMatchObject({
      level: 'error',
      source: 'guest',
      tenantId: 'acme',
      installId: 'inst-thrown',
      requestId,
      code: 'guest_trap',
      msg: expect.stringContaining(THROWN),
    });
    // The two functions that threw, innermost first.
    expect((frames as string[]).slice(0, 2)).toEqual(
      (await throwFrames()).map((place) => expect.stringContaining(place)),
    );
  }, 180_000);

  it.each([
    ['guest_cpu_exceeded', 'starlingmonkey', ROUTES.loop, { cpuMs: 200 }],
    ['guest_out_of_memory', 'c', ROUTES.allocate, { memoryMb: 32 }],
    ['guest_limit_exceeded', 'starlingmonkey', ROUTES.chatty(50), { hostCalls: 10 }],
  ] as const)(
    'at a limit is %s, with the field of the manifest that raises it',
    async (code, kind, url, limits) => {
      const answer = await platform.execute({
        url,
        deadlineMs: AMPLE_MS,
        claims: {
          contentHash: await component(kind),
          installId: 'inst-limited',
          limits: resolveLimits({ timeoutMs: AMPLE_MS, cpuMs: AMPLE_MS, ...limits }),
        },
      });
      const field = `/limits/${Object.keys(limits)[0]}`;
      expect(answer).toMatchObject({ ok: false, error: { code, errors: [{ field }] } });
    },
    180_000,
  );

  it('with its sandbox, three times, is guest_quarantined, for its tenant alone', async () => {
    const claims = { tenantId: 'fragile', limits: resolveLimits({ timeoutMs: AMPLE_MS, cpuMs: AMPLE_MS }) };
    for (let crash = 0; crash < 3; crash++) {
      const before = platform.beats.at(-1)?.sequence ?? 0;
      const looping = platform.execute({ url: '/loop', deadlineMs: AMPLE_MS, claims });
      // The next beat but one was made after this call was sent: no earlier call is in it.
      await until(() => platform.beats.some(({ sequence, inFlight }) => sequence > before + 1 && inFlight > 0));
      for (const pid of await sandboxesOf(platform.runner.pid)) process.kill(pid, 'SIGKILL');
      expect(codeOf(await looping)).toBe('execution_unknown');
    }
    const answer = await platform.execute({ url: '/context', claims });
    expect(answer).toMatchObject({ ok: false, error: { code: 'guest_quarantined' } });
    expect(answer.ok || answer.error.retryAfterMs).toBeGreaterThan(0);
    expect(codeOf(await platform.execute({ url: '/context', claims: { tenantId: 'sturdy' } }))).toBe('status 200');
  }, 60_000);
});

/** Process ids of a runner's children. */
async function sandboxesOf(runner: number): Promise<number[]> {
  const children = await readFile(`/proc/${runner}/task/${runner}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

describe('one tenant at fifty times the calls of another', () => {
  it('leaves the other all its answers, while none of its own calls comes back from the host', async () => {
    const flood: Promise<Answer>[] = [];
    const floodOnce = () => {
      const to = [{ name: 'to', value: `${apiOrigin}/never` }];
      const limits = resolveLimits({ timeoutMs: 8_000 });
      const claims = { tenantId: 'noisy', installId: 'inst-noisy', egress: [apiOrigin], limits };
      flood.push(platform.execute({ url: '/fetch', headers: to, claims }));
    };
    for (let call = 0; call < 50; call++) floodOnce();
    // As many as one tenant may have at once hang; the others have been refused.
    await until(() => unanswered === MAX_OF_ONE_TENANT);
    const answers: string[] = [];
    for (let call = 0; call < 10; call++) {
      for (let more = 0; more < 50; more++) floodOnce();
      answers.push(codeOf(await platform.execute({ url: '/context', claims: { tenantId: 'quiet' } })));
    }
    expect(answers).toEqual(Array(10).fill('status 200'));
    // Nothing of the flood had ended by then: it was there all the time.
    expect(unanswered).toBe(MAX_OF_ONE_TENANT);
    const codes = (await Promise.all(flood)).map(codeOf);
    const refused = codes.filter((code) => code === 'overloaded');
    expect(refused).toHaveLength(flood.length - MAX_OF_ONE_TENANT);
  }, 60_000);
});

describe('log lines of a guest', () => {
  it('stay one line, name their request, and speak to no terminal', async () => {
    await platform.json({ url: '/log', requestId: 'request-log' });
    await until(async () => (await platform.log()).includes('first line'));
    const [line = ''] = (await platform.log()).split('\n').filter((text) => text.includes('first line'));
    expect(JSON.parse(line)).toMatchObject({
      level: 'info',
      source: 'guest',
      tenantId: 'acme',
      installId: 'inst-1',
      requestId: 'request-log',
      msg: 'first line\\u{d}\\n\\u{1b}[31m{"level":"fatal"} \\u{2028}end',
    });
  });
});

describe('faults around the runner', () => {
  it('Redis stopped and back: calls go on throughout', async () => {
    const { redis } = platform;
    redis.kill('SIGSTOP');
    const claims = (installId: string) => ({ url: '/secret', claims: { installId } });
    for (const install of ['inst-r1', 'inst-r2', 'inst-r3', 'inst-r4']) {
      expect(await platform.json(claims(install))).toMatchObject({ value: { ok: 'canary-value-four' } });
    }
    redis.kill('SIGCONT');
    await until(async () => {
      const install = `inst-${Math.random().toString(36).slice(2, 10)}`;
      await platform.json(claims(install));
      return (await platform.redisCommand('EXISTS', `alga:l2:acme:${install}`)) === 1;
    });
    await redis.stop();
    expect(await platform.json(claims('inst-r5'))).toMatchObject({ value: { ok: 'canary-value-four' } });
  });

  it('broker gone: 503 with a time to come back; what is cached still serves', async () => {
    await platform.json({ url: '/secret' });
    await platform.brokerBus.close();
    expect(await platform.json({ url: '/secret' })).toMatchObject({ value: { ok: 'canary-value-four' } });
    const answer = await platform.execute({ url: '/need-secret', claims: { installId: 'inst-gone' } });
    expect(answer).toMatchObject({ ok: false, error: { code: 'secrets_unavailable' } });
    expect(answer.ok || answer.error.retryAfterMs).toBeGreaterThan(0);
  });

  it('I10: SIGTERM announces it to the gateways, finishes what is in flight and ends with 0', async () => {
    expect(platform.beats.at(-1)).toMatchObject({ runnerId: RUNNER_ID, capacity: 64, draining: false });
    const slow = { url: '/loop', claims: { limits: resolveLimits({ timeoutMs: 2_000 }) } };
    const before = platform.beats.at(-1)?.sequence ?? 0;
    const running = platform.execute(slow);
    // The next beat but one was made after this call was sent: no earlier call is in it.
    await until(() => platform.beats.some(({ sequence, inFlight }) => sequence > before + 1 && inFlight > 0));
    platform.runner.kill('SIGTERM');
    await until(() => platform.beats.at(-1)?.draining === true);
    expect(codeOf(await running)).toBe('guest_timeout');
    expect(await platform.runner.exited).toEqual({ code: 0, signal: null });
    const numbers = platform.beats.map(({ sequence }) => sequence);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  });
});
