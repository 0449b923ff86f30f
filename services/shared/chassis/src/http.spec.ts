import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { AlgaError } from '@alga/contracts';
import { Health } from './health.ts';
import { createHttpServer } from './http.ts';
import { KnownSecrets } from './known-secrets.ts';
import { createLogger } from './logger.ts';

function server() {
  const lines: string[] = [];
  const health = new Health();
  const logger = createLogger({
    service: 'gateway',
    instance: 'a',
    level: 'debug',
    knownSecrets: new KnownSecrets(),
    destination: { write: (line) => void lines.push(line) },
  });
  const http = createHttpServer({
    health,
    logger,
    maxBodyBytes: 100,
    handleMetrics: (_, response) => response.end('metrics'),
  });
  http.post('/echo', (request) => request.body);
  http.get('/refuse', () => {
    throw new AlgaError('rate_limited', 'Slow down.', { retryAfterMs: 1500, cause: new Error('inner detail') });
  });
  http.get('/fault', () => {
    throw new Error('database password is hunter22');
  });
  return { http, health, lines };
}

describe('the HTTP server', () => {
  it('answers an error with a problem document that carries its code, status and request id', async () => {
    const { http } = server();
    const response = await http.inject({ url: '/refuse', headers: { 'x-request-id': 'req-12345678' } });
    expect(response.statusCode).toBe(429);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(response.headers['retry-after']).toBe('2');
    expect(response.json()).toMatchObject({ code: 'rate_limited', detail: 'Slow down.', requestId: 'req-12345678' });
    expect(response.body).not.toContain('inner detail');
  });

  it('tells nothing of a fault but the request id, under which the log has it', async () => {
    const { http, lines } = server();
    const response = await http.inject('/fault');
    expect(response.json()).toMatchObject({ status: 500, code: 'internal' });
    expect(response.body).not.toContain('hunter22');
    expect(lines.join('')).toContain(response.json().requestId);
  });

  it.each([
    [{ payload: 'x'.repeat(101), headers: { 'content-type': 'text/plain' } }, 413, 'body_too_large'],
    [{ payload: '{', headers: { 'content-type': 'application/json' } }, 400, 'bad_request'],
    [{ payload: '{"__proto__":{}}', headers: { 'content-type': 'application/json' } }, 400, 'bad_request'],
    [{ payload: 'x', headers: { 'content-type': 'image/png' } }, 415, 'unsupported_media_type'],
  ])('refuses %j with its own code', async (request, status, code) => {
    const { http } = server();
    const response = await http.inject({ method: 'POST', url: '/echo', ...request });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ code, ...(status === 413 ? { limit: 100 } : {}) });
  });

  it('answers an unknown address with not_found', async () => {
    const response = await server().http.inject('/nowhere');
    expect(response.json()).toMatchObject({ status: 404, code: 'not_found' });
  });

  it.each([
    ['content-length: 99', ''],
    ['transfer-encoding: chunked', ''],
    ['content-length: 4', '{"a"'],
  ])('does not wait for a body that no route takes (%s)', async (framing, body) => {
    const { http } = server();
    await http.listen({ host: '127.0.0.1', port: 0 });
    try {
      const socket = connect((http.server.address() as AddressInfo).port, '127.0.0.1');
      socket.write(`POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${framing}\r\n\r\n${body}`);
      const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(5_000) })) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 /);
      socket.destroy();
    } finally {
      await http.close();
    }
  });

  it('replaces a request id that is not one', async () => {
    const response = await server().http.inject({ url: '/healthz', headers: { 'x-request-id': 'a b\u0000' } });
    expect(response.headers['x-request-id']).toMatch(/^[A-Za-z0-9_-]{16}$/);
  });

  it('is ready only while running with every check held', async () => {
    const { http, health } = server();
    let reachable = true;
    health.add('nats', () => reachable);
    const readiness = async () => (await http.inject('/readyz')).statusCode;
    expect(await readiness()).toBe(503);
    health.phase = 'running';
    expect(await readiness()).toBe(200);
    reachable = false;
    expect(await readiness()).toBe(503);
    reachable = true;
    health.phase = 'draining';
    expect(await readiness()).toBe(503);
    expect((await http.inject('/healthz')).statusCode).toBe(200);
  });
});
