import { connect } from 'node:net';
import { startNats } from '@alga/local-stack';
import {
  auth,
  expectCleanLog,
  type Fixture,
  held,
  KEY,
  PATH,
  problem,
  startFixture,
  until,
} from './test-support/fixture.ts';
import { startGateway } from './test-support/gateway-process.ts';
import { call, raw } from './test-support/http-client.ts';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterEach(() => fixture.endRunners());
afterAll(() => fixture?.stop());

describe('hostile HTTP', () => {
  const head = `Host: gateway\r\nAuthorization: Bearer ${KEY}\r\n`;
  const smuggled = `GET ${PATH}/smuggled HTTP/1.1\r\n${head}\r\n`;

  it.each([
    ['CL.TE', `Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['TE.CL', `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${smuggled}\r\n0\r\n\r\n`],
    ['two lengths', `Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ['an obfuscated encoding', `Transfer-Encoding: xchunked\r\n\r\n${smuggled}`],
    ['a space before the colon', `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['a folded header', `X-A: b\r\n Content-Length: 0\r\n\r\n${smuggled}`],
    ['a bare CR in a header', `X-A: b\rX-B: c\r\n\r\n`],
    ['a NUL in a header', `X-A: b\u0000c\r\n\r\n`],
  ])('%s is refused with the connection, and nothing smuggled is executed', async (_, rest) => {
    const runner = await fixture.addRunner();
    const received = await raw(fixture.gateway.port, `POST ${PATH} HTTP/1.1\r\n${head}${rest}`);
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(received.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(received).toContain('"code":"bad_request"');
    expect(runner.requests.filter(({ head }) => head.http.url.includes('smuggled'))).toEqual([]);
  });

  it('encoded line breaks and dots in a path reach the guest as they are', async () => {
    const runner = await fixture.addRunner();
    expect((await fixture.get(`${PATH}/%0d%0aX-A:%20b/%2e%2e//x`)).status).toBe(200);
    expect(runner.requests.at(-1)?.head).toMatchObject({
      extensionId: 'ticket-sync',
      http: { url: '/%0d%0aX-A:%20b/%2e%2e//x' },
    });
  });

  it('10,000 headers are refused with the limit', async () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `x-${index}: 1\r\n`).join('');
    const received = await raw(fixture.gateway.port, `GET ${PATH} HTTP/1.1\r\n${head}${many}\r\n`);
    expect(received).toMatch(/^HTTP\/1\.1 400 /);
    expect(received).toContain('"limit":16384');
  });

  it.each([
    ['headers', `POST ${PATH} HTTP/1.1\r\nHost: gateway\r\n`],
    ['body', `POST ${PATH} HTTP/1.1\r\n${head}Content-Length: 100\r\n\r\nhalf`],
  ])('a client that never finishes its %s is cut off', async (_, begun) => {
    expect(await raw(fixture.gateway.port, begun)).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"request_timeout"/);
  });

  it('a caller that leaves does not stop its call, nor harm the gateway', async () => {
    const runner = await fixture.addRunner();
    const gates = held(runner);
    let finished = false;
    const { guest } = runner;
    runner.guest = async (request, info) => {
      const reply = await guest(request, info);
      finished = true;
      return reply;
    };
    const socket = connect({ host: '127.0.0.1', port: fixture.gateway.port });
    socket.write(`GET ${PATH} HTTP/1.1\r\n${head}\r\n`);
    await until(() => gates.length === 1, 'the call has started');
    socket.destroy();
    gates[0]?.();
    await until(() => finished, 'the guest has finished');
    expect((await fixture.get('/healthz')).status).toBe(200);
  });
});

describe('the gateway as a process', () => {
  it('answers 503 unavailable while the control plane is away', async () => {
    const alone = await startNats();
    const lonely = await startGateway(alone.url);
    try {
      const answer = await call(lonely.port, 'GET', PATH, { headers: auth });
      expect(problem(answer)).toMatchObject({ code: 'unavailable', status: 503 });
      expect(answer.headers['retry-after']).toBe('1');
    } finally {
      await lonely.stop();
      await alone.stop();
    }
  });

  it('is not ready while NATS is away, and answers again when it is back', async () => {
    const first = await startNats();
    const steady = await startGateway(first.url);
    const ready = async () => (await call(steady.port, 'GET', '/readyz')).status;
    try {
      expect(await ready()).toBe(200);
      await first.stop();
      await until(async () => (await ready()) === 503, 'it is unready');
      const second = await startNats({ port: first.port });
      try {
        await until(async () => (await ready()) === 200, 'it is ready again');
        expect(problem(await call(steady.port, 'GET', PATH, { headers: auth }))).toMatchObject({ code: 'unavailable' });
      } finally {
        await steady.stop();
        await second.stop();
      }
    } finally {
      await steady.stop();
      await first.stop();
    }
  });

  it('refuses to start when its bodies do not fit into a NATS message', async () => {
    const starting = startGateway(fixture.nats.url, { MAX_BODY_BYTES: '900000' });
    await expect(starting).rejects.toThrow(/MAX_BODY_BYTES leaves no room in a NATS message: set it to 786432 or less/);
  });

  it('answers every call in flight when it is told to stop, even after runners would have counted as lost (I10)', async () => {
    const second = await startGateway(fixture.nats.url, { REQUEST_TIMEOUT_MS: '10000' });
    try {
      const runner = await fixture.addRunner();
      const gates = held(runner);
      const answers = Array.from({ length: 30 }, (_, index) =>
        call(second.port, 'POST', PATH, { headers: auth, body: Buffer.from(`call ${index}`) }),
      );
      await until(() => gates.length === 30, 'all calls have started');
      second.process.kill('SIGTERM');
      const refusesNew = async () => {
        try {
          await call(second.port, 'GET', '/healthz');
          return false;
        } catch {
          return true;
        }
      };
      const stoppedAt = performance.now();
      await until(refusesNew, 'no new connection is taken');
      await until(() => performance.now() - stoppedAt > 1_500, 'longer than a runner may be silent');
      for (const open of gates) open();
      const bodies = (await Promise.all(answers)).map(({ status, body }) => `${status} ${body.toString()}`);
      expect(bodies).toEqual(Array.from({ length: 30 }, (_, index) => `200 call ${index}`));
      expect(await second.process.exited).toMatchObject({ code: 0 });
    } finally {
      await second.stop();
    }
  });
});

it('in all of this the gateway logged no API key and left no fault uncaught', () => expectCleanLog(fixture.gateway));
