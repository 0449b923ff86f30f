import { randomBytes } from 'node:crypto';
import { AlgaError } from '@alga/contracts';
import {
  auth,
  expectCleanLog,
  type Fixture,
  held,
  KEY,
  MAX_BODY_BYTES,
  PATH,
  problem,
  REQUEST_TIMEOUT_MS,
  startFixture,
  until,
} from './test-support/fixture.ts';
import { call } from './test-support/http-client.ts';
import type { RunnerPeer } from './test-support/peers.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture.endRunners());
afterAll(() => fixture?.stop());

describe('a call', () => {
  it('brings any bytes of any type to the guest and the bytes it answers back', async () => {
    const runner = await fixture.addRunner();
    const body = randomBytes(MAX_BODY_BYTES);
    const headers = { ...auth, 'content-type': 'application/x-anything; v=1', 'x-request-id': 'request-0001' };
    const answer = await call(fixture.gateway.port, 'PUT', `${PATH}/a/b?c=d`, { headers, body });
    expect(answer.status).toBe(200);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/x-anything; v=1',
      'content-length': String(body.length),
      'cache-control': 'no-store',
      'content-security-policy': 'sandbox',
      'x-content-type-options': 'nosniff',
      'x-ext-config-version': '4',
      'x-ext-secrets-version': '7',
      'x-ext-version': '1.2.3',
      'x-ext-runner': runner.id,
      'x-request-id': 'request-0001',
    });
    expect(answer.headers['server-timing']).toMatch(/^auth;dur=.+, resolve;dur=.+, execute;dur=.+, guest;dur=1\.[23]$/);
    expect(runner.requests.at(-1)?.head).toMatchObject({
      requestId: 'request-0001',
      tenantId: 'acme',
      extensionId: 'ticket-sync',
      installId: 'ticket-sync-1',
      config: '{"region":"eu"}',
      http: { method: 'PUT', url: '/a/b?c=d', hasBody: true },
    });
  });

  it('takes the key from x-api-key too, and shows the guest neither key nor cookies', async () => {
    const runner = await fixture.addRunner();
    const secret = { 'x-api-key': KEY, cookie: 'session=1', 'x-forwarded-for': '10.0.0.1', 'x-ext-runner': 'forged' };
    const answer = await fixture.get(PATH, { ...secret, accept: '*/*', 'x-twice': ['1', '2'] });
    expect(answer.status).toBe(200);
    expect(runner.requests.at(-1)?.head.http.headers).toEqual([
      { name: 'accept', value: '*/*' },
      { name: 'x-twice', value: '1' },
      { name: 'x-twice', value: '2' },
    ]);
  });

  it('with HEAD is answered with the headers alone', async () => {
    const runner = await fixture.addRunner();
    runner.guest = async () => ({
      headers: [{ name: 'content-type', value: 'text/plain' }],
      body: Buffer.from('hello'),
    });
    const answer = await call(fixture.gateway.port, 'HEAD', PATH, { headers: auth });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-length': '5', 'content-type': 'text/plain' } });
    expect(answer.body.length).toBe(0);
  });

  it('has what the guest may not say taken out of its response', async () => {
    const runner = await fixture.addRunner();
    const say: [string, string][] = [
      ['Set-Cookie', 'a=b; Domain=.example.com'],
      ['X-Ext-Secrets-Version', '999'],
      ['Content-Length', '3'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'x-hop'],
      ['X-Hop', '1'],
      ['__proto__', 'polluted'],
      ['Vary', 'a'],
      ['Vary', 'b'],
    ];
    runner.guest = async () => ({
      status: 418,
      headers: say.map(([name, value]) => ({ name, value })),
      body: Buffer.from('short and stout'),
    });
    const answer = await fixture.get(PATH);
    expect(answer).toMatchObject({
      status: 418,
      headers: { 'content-length': '15', 'x-ext-secrets-version': '7', vary: 'a, b' },
    });
    expect(answer.rawHeaders.map((name) => name.toLowerCase())).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(set-cookie|transfer-encoding|x-hop|__proto__)$/)]),
    );
  });

  it.each([
    ['legacy', 'legacy'],
    ['component', undefined],
  ] as const)('to a %s says so in x-ext-runtime: %s, whatever the guest says', async (runtime, expected) => {
    const runner = await fixture.addRunner();
    runner.guest = async () => ({ runtime, headers: [{ name: 'X-Ext-Runtime', value: 'forged' }] });
    const answer = await fixture.get(PATH);
    expect(answer.status).toBe(200);
    expect(answer.headers['x-ext-runtime']).toBe(expected);
  });

  it.each([204, 304])('with a body in a %i is answered without it', async (status) => {
    const runner = await fixture.addRunner();
    runner.guest = async () => ({ status, body: Buffer.from('stray') });
    expect(await fixture.get(PATH)).toMatchObject({ status, body: Buffer.alloc(0) });
  });
});

describe('a call is refused', () => {
  it.each([
    ['without a key', PATH, {}, 401, 'unauthenticated'],
    ['with an unknown key', PATH, { 'x-api-key': 'alga_t_unknown_0123456789' }, 401, 'unauthenticated'],
    ['with two keys', PATH, { ...auth, 'x-api-key': KEY }, 401, 'unauthenticated'],
    ['with a key that may not invoke', PATH, { 'x-api-key': 'alga_t_acme_admin_only_key_00' }, 403, 'forbidden'],
    ['with a key of no tenant', PATH, { 'x-api-key': 'alga_op_0123456789abcdef0123' }, 403, 'forbidden'],
    ['to an extension that is not installed', '/api/ext/unknown', auth, 404, 'extension_not_found'],
    ['to a suspended install', '/api/ext/asleep', auth, 403, 'install_suspended'],
    ['to what is no extension id', '/api/ext/Ticket_Sync/x', auth, 400, 'bad_request'],
    ['to an encoded parent', '/api/ext/%2e%2e/x', auth, 400, 'bad_request'],
    ['to an empty id', '/api/ext//x', auth, 400, 'bad_request'],
    ['with an encoded NUL', `${PATH}/%00`, auth, 400, 'bad_request'],
    ['with a broken escape', `${PATH}/%zz`, auth, 400, 'bad_request'],
    ['with no id', '/api/ext', auth, 404, 'not_found'],
    ['with too many headers', PATH, { ...auth, 'x-many': Array.from({ length: 200 }, () => '1') }, 400, 'bad_request'],
  ])('%s', async (_, path, headers, status, code) => {
    const answer = await fixture.get(path, headers as Record<string, string | string[]>);
    expect(problem(answer)).toMatchObject({ status, code });
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(answer.headers['x-request-id']).toBe(problem(answer).requestId);
  });

  it('naming the field, when the extension id is malformed', async () => {
    expect(problem(await fixture.get('/api/ext/Ticket_Sync'))).toMatchObject({ errors: [{ field: '/extensionId' }] });
  });

  it.each(['TRACE', 'PROPFIND', 'QUERY'])('with the method %s, naming those that are allowed', async (method) => {
    const answer = await call(fixture.gateway.port, method, PATH, {
      headers: { ...auth, 'content-type': 'text/plain' },
    });
    expect(problem(answer)).toMatchObject({ code: 'method_not_allowed' });
    expect(answer.headers.allow).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  });

  it.each([
    ['declared', {}],
    ['chunked', { 'transfer-encoding': 'chunked' }],
  ])('with a body over the limit (%s), naming the limit', async (_, framing) => {
    const answer = await call(fixture.gateway.port, 'POST', PATH, {
      headers: { ...auth, ...framing },
      body: randomBytes(MAX_BODY_BYTES + 1),
    });
    expect(problem(answer)).toMatchObject({ code: 'body_too_large', limit: MAX_BODY_BYTES });
  });

  it('when no runner is there, and told when to come back', async () => {
    const answer = await call(fixture.gateway.port, 'POST', PATH, { headers: auth, body: Buffer.from('x') });
    expect(problem(answer)).toMatchObject({ code: 'no_runner', status: 503 });
    expect(answer.headers['retry-after']).toBe('1');
    expect(await fixture.get('/readyz')).toMatchObject({ status: 200 });
  });

  it('when its guest answers what HTTP cannot carry', async () => {
    const runner = await fixture.addRunner();
    runner.guest = async () => ({ headers: [{ name: 'x-snow', value: '\u2603' }] });
    expect(problem(await fixture.get(PATH))).toMatchObject({ code: 'guest_response_invalid' });
  });

  it.each([
    ['guest_quarantined', 503, '5'],
    ['guest_cpu_exceeded', 504, undefined],
  ] as const)('when the runner answers %s, once and for all', async (code, status, retryAfter) => {
    const runner = await fixture.addRunner();
    runner.guest = async () => {
      throw new AlgaError(code, undefined, retryAfter === undefined ? {} : { retryAfterMs: 4_200 });
    };
    const answer = await fixture.get(PATH);
    expect(problem(answer)).toMatchObject({ code, status, requestId: answer.headers['x-request-id'] });
    expect(answer.headers['retry-after']).toBe(retryAfter);
    expect(runner.requests).toHaveLength(1);
  });

  it('when the guest went over a limit, naming which and where its author raises it', async () => {
    const runner = await fixture.addRunner();
    const errors = [{ field: '/limits/hostCalls', reason: 'was 1000 for this call' }];
    runner.guest = async () => {
      throw new AlgaError('guest_limit_exceeded', undefined, { errors, limit: 1_000 });
    };
    expect(problem(await fixture.get(PATH))).toMatchObject({
      code: 'guest_limit_exceeded',
      status: 502,
      errors,
      limit: 1_000,
    });
  });

  it('without a word of what went on between our own parts', async () => {
    const runner = await fixture.addRunner();
    runner.guest = async () => {
      throw new AlgaError('envelope_mismatch', 'tenant globex expected');
    };
    const answer = await fixture.get(PATH);
    expect(problem(answer)).toMatchObject({ code: 'internal' });
    expect(answer.body.toString()).not.toContain('globex');
  });
});

describe('when a runner fails', () => {
  /** Two runners, by which of them calls to the sample go to. */
  async function pair(): Promise<{ preferred: RunnerPeer; other: RunnerPeer }> {
    const [a, b] = [await fixture.addRunner(), await fixture.addRunner()];
    const id = (await fixture.get(PATH)).headers['x-ext-runner'];
    for (const runner of [a, b]) runner.requests.length = 0;
    return id === a.id ? { preferred: a, other: b } : { preferred: b, other: a };
  }

  it('an idempotent call that was on it is made again on the other', async () => {
    const { preferred, other } = await pair();
    held(preferred);
    const answer = fixture.get(PATH);
    await until(() => preferred.requests.length === 1, 'the call has started');
    await preferred.die();
    expect(await answer).toMatchObject({ status: 200, headers: { 'x-ext-runner': other.id } });
    expect(other.requests).toHaveLength(1);
  });

  it('a call that is not idempotent ends as execution_unknown, and is not made again', async () => {
    const { preferred, other } = await pair();
    held(preferred);
    const answer = call(fixture.gateway.port, 'POST', PATH, { headers: auth, body: Buffer.from('pay') });
    await until(() => preferred.requests.length === 1, 'the call has started');
    await preferred.die();
    expect(problem(await answer)).toMatchObject({ code: 'execution_unknown', status: 502 });
    expect(other.requests).toHaveLength(0);
  });

  it('by having no room, any call goes to the other', async () => {
    const { preferred, other } = await pair();
    preferred.guest = async () => {
      throw new AlgaError('overloaded');
    };
    const answer = await call(fixture.gateway.port, 'POST', PATH, { headers: auth, body: Buffer.from('pay') });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-ext-runner': other.id } });
  });

  it('and the other has no room either, the call is refused with when to come back', async () => {
    const { preferred, other } = await pair();
    for (const runner of [preferred, other]) {
      runner.guest = async () => {
        throw new AlgaError('overloaded', undefined, { retryAfterMs: 2_000 });
      };
    }
    const answer = await fixture.get(PATH);
    expect(problem(answer)).toMatchObject({ code: 'overloaded' });
    expect(answer.headers['retry-after']).toBe('2');
    expect(preferred.requests.length + other.requests.length).toBe(2);
  });

  it('by no longer listening, a call goes to the other at once, whatever its method', async () => {
    const { preferred, other } = await pair();
    await preferred.leave();
    const answer = await call(fixture.gateway.port, 'POST', PATH, { headers: auth, body: Buffer.from('pay') });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-ext-runner': other.id } });
  });

  it('by draining, it gets no further calls', async () => {
    const { preferred, other } = await pair();
    preferred.drain();
    await until(async () => (await fixture.get(PATH)).headers['x-ext-runner'] === other.id, 'calls go to the other');
    preferred.requests.length = 0;
    for (let count = 0; count < 5; count += 1) await fixture.get(PATH);
    expect(preferred.requests).toHaveLength(0);
  });

  it('to answer in time, the caller is told by the deadline', async () => {
    const runner = await fixture.addRunner();
    held(runner);
    const started = performance.now();
    expect(problem(await fixture.get(PATH))).toMatchObject({ code: 'deadline_exceeded' });
    expect(performance.now() - started).toBeGreaterThanOrEqual(REQUEST_TIMEOUT_MS - 50);
    expect(runner.requests).toHaveLength(1);
  });
});

it('in all of this the gateway logged no API key and left no fault uncaught', () => expectCleanLog(fixture.gateway));
