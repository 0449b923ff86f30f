import type { ExecuteRequest } from 'alga:extension/types@1.0.0';
import { configClient } from './config.ts';
import { httpClient } from './http.ts';
import { logger } from './logging.ts';
import { json } from './response.ts';
import { secretsClient } from './secrets.ts';
import { type Handler, serve } from './serve.ts';
import { storageClient } from './storage.ts';

const unused = (): never => {
  throw new Error('not part of this test');
};

function world() {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const host = {
    secrets: secretsClient({ get: unused, listKeys: unused }),
    config: configClient({ get: unused, getAll: unused }),
    http: httpClient({ fetch: unused }),
    storage: storageClient({ get: unused, put: unused, delete: unused, listEntries: unused }),
    log: logger({ logInfo: write('info'), logWarn: write('warn'), logError: write('error') }),
  };
  return { lines, call: (handler: Handler, wire: ExecuteRequest = request('/')) => serve(handler, host, wire) };
}

const request = (url: string, body?: string): ExecuteRequest => ({
  context: { requestId: 'r1', tenantId: 'acme', extensionId: 'x' },
  http: {
    method: 'POST',
    url,
    headers: [
      { name: 'X-A', value: '1' },
      { name: 'x-a', value: '2' },
    ],
    ...(body !== undefined && { body: new TextEncoder().encode(body) }),
  },
});
const text = (body: Uint8Array | undefined) => new TextDecoder().decode(body);

// `serve` points console at the extension's log.
const { log, info, debug, warn, error } = console;
afterEach(() => {
  Object.assign(console, { log, info, debug, warn, error });
});

describe('serve', () => {
  it('gives the handler the request and the context, which it cannot change', async () => {
    const { call } = world();
    const response = await call(
      ({ request: { method, url, path, query, headers, json: body }, context }) => {
        return json([method, url, path, query.get('q'), headers.get('x-a'), body(), context, Object.isFrozen(context)]);
      },
      request('/a%20b?q=1%262', '{"n":1}'),
    );
    expect(JSON.parse(text(response.body))).toEqual([
      'POST',
      '/a%20b?q=1%262',
      '/a%20b',
      '1&2',
      '1, 2',
      { n: 1 },
      { requestId: 'r1', tenantId: 'acme', extensionId: 'x' },
      true,
    ]);
  });

  it('reads a missing body as empty text', async () => {
    const response = await world().call(({ request: { text: read } }) => ({ body: `[${read()}]` }));
    expect([response.status, text(response.body)]).toEqual([200, '[]']);
  });

  it('takes a standard Response, and leaves its length to the host', async () => {
    const response = await world().call(() => new Response('hi', { status: 202, headers: { 'content-length': '2' } }));
    expect([response.status, text(response.body)]).toEqual([202, 'hi']);
    expect(response.headers).toEqual([{ name: 'content-type', value: 'text/plain;charset=UTF-8' }]);
  });

  it('sends a response without a body as one without a body', async () => {
    expect(await world().call(() => ({ status: 204, headers: { a: 'b' } }))).toEqual({
      status: 204,
      headers: [{ name: 'a', value: 'b' }],
    });
  });

  it.each([
    ['nothing', undefined, /returned nothing: return json/],
    ['text', 'hello', /bare value: return json/],
    ['an array', [], /bare value/],
    ['data', { ok: true }, /with "ok": .*return json/],
    ['a status below 200', { status: 101 }, /status 101/],
    ['a status that the wire would wrap', { status: 65_736 }, /status 65736/],
    ['a status that is no integer', { status: Number.NaN }, /status NaN/],
  ])('fails the call of a handler that returns %s, and says how to correct it', async (_, returned, message) => {
    await expect(world().call(() => returned as never)).rejects.toThrow(message);
    await expect(world().call(() => returned as never)).rejects.toThrow(/^the handler returned/);
  });

  it('throws on what a handler throws, and logs nothing: the host takes it from standard error', async () => {
    const { call, lines } = world();
    const thrown = new RangeError('out of tickets');
    await expect(call(() => Promise.reject(thrown))).rejects.toBe(thrown);
    expect(lines).toEqual([]);
  });

  it('sends console to the log, whatever is printed', async () => {
    const { call, lines } = world();
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    await call(() => {
      console.log('a', { b: 1 }, 2, undefined);
      console.warn(new TypeError('t'));
      console.error(1n, cycle);
      return json(null);
    });
    expect(lines).toEqual(['info a {"b":1} 2 undefined', 'warn TypeError: t', 'error 1 [object Object]']);
  });

  it('appends the fields of a log line as JSON', async () => {
    const { call, lines } = world();
    await call(({ log: out }) => {
      out.info('synced', { n: 3 });
      return json(null);
    });
    expect(lines).toEqual(['info synced {"n":3}']);
  });
});

describe('json', () => {
  it('sets the content type, which the caller may replace', () => {
    expect(json([1])).toEqual({ status: 200, headers: { 'content-type': 'application/json' }, body: '[1]' });
    expect(json(1, { status: 400, headers: { 'content-type': 'application/problem+json' } })).toEqual({
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body: '1',
    });
  });

  it('refuses a value without a JSON form', () => {
    expect(() => json(undefined)).toThrow(TypeError);
  });
});
