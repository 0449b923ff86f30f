// One file, though long: what a fetch does when nobody is hostile, and the refusals that belong to it.
import type { ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Resolve } from '../egress/transport.ts';
import type { HttpHeader } from '../sandbox/protocol.ts';
import {
  capability,
  closeAll,
  listen,
  ok,
  type Seen,
  sockets,
  textOf,
  trusting,
  upstream,
} from './fixtures/upstreams.ts';

afterEach(closeAll);

describe('where a guest may go', () => {
  it('an empty allow-list means no connection at all', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const fetch = trusting(origin);
    expect(await fetch(`${origin}/`, {}, { allow: [] })).toEqual({ ok: false, error: 'not-allowed' });
    expect(server.connections).toBe(0);
  });

  it('an allowed name at a private address is refused before a connection, unless the operator named the origin', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const context = { allow: [origin], deadlineMs: 5_000 };
    const request = { method: 'GET', url: `${origin}/`, headers: [] };
    expect(await capability().fetch(request, context)).toEqual({ ok: false, error: 'not-allowed' });
    expect(await capability({ privateOrigins: ['http://api.test'] }).fetch(request, context)).toEqual({
      ok: false,
      error: 'not-allowed',
    });
    expect(server.connections).toBe(0);
    expect(textOf(await trusting(origin)(`${origin}/`))).toBe('fine');
  });

  it.each(['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '[::ffff:127.0.0.1]'])(
    'a literal private address on the allow-list is refused: %s',
    async (host) => {
      const server = await upstream(ok);
      const url = `http://${host}:${server.port}/`;
      const result = await capability().fetch({ method: 'GET', url, headers: [] }, { allow: [url], deadlineMs: 5_000 });
      expect(result).toEqual({ ok: false, error: 'not-allowed' });
      expect(server.connections).toBe(0);
    },
  );

  it.each([
    ['a private AAAA beside a public A', ['93.184.215.14', 'fd00::1']],
    ['a private A beside a public A', ['93.184.215.14', '10.0.0.1']],
    ['NAT64', ['64:ff9b::a00:1']],
    ['no address', []],
  ])('every address of a name is judged: %s', async (_name, addresses) => {
    const resolve: Resolve = async () =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const result = await capability({ resolve }).fetch(
      { method: 'GET', url: 'http://api.test/', headers: [] },
      { allow: ['http://api.test'], deadlineMs: 5_000 },
    );
    expect(result).toEqual({ ok: false, error: 'not-allowed' });
  });

  it('a name is resolved once per connection: the judged address is the one connected to', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    let lookups = 0;
    const rebinding: Resolve = async () => [{ address: lookups++ === 0 ? '127.0.0.1' : '127.0.0.99', family: 4 }];
    const http = capability({ privateOrigins: [origin], resolve: rebinding });
    const result = await http.fetch(
      { method: 'GET', url: `${origin}/`, headers: [] },
      { allow: [origin], deadlineMs: 5_000 },
    );
    expect(textOf(result)).toBe('fine');
    expect(lookups).toBe(1);
  });

  it('I6: a revoked origin is refused on the next call although its socket is still open', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const fetch = trusting(origin);
    expect(textOf(await fetch(`${origin}/`))).toBe('fine');
    expect(sockets.size).toBe(1);
    expect(await fetch(`${origin}/`, {}, { allow: [] })).toEqual({ ok: false, error: 'not-allowed' });
    expect(server.seen).toHaveLength(1);
  });

  it('asks no proxy that the environment names', async () => {
    const proxy = await upstream(ok);
    const server = await upstream(ok);
    const before = { ...process.env };
    for (const name of ['http_proxy', 'HTTP_PROXY', 'ALL_PROXY']) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    try {
      const origin = `http://api.test:${server.port}`;
      expect(textOf(await trusting(origin)(`${origin}/`))).toBe('fine');
      expect(proxy.connections).toBe(0);
    } finally {
      process.env = before;
    }
  });

  it('names the host in TLS, while it connects to the judged address', async () => {
    const hello = Promise.withResolvers<Buffer | string>();
    const tcp = createTcpServer((socket) => {
      socket.once('data', (bytes) => {
        hello.resolve(bytes);
        socket.destroy();
      });
    });
    const origin = `https://api.test:${await listen(tcp)}`;
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'unreachable' });
    expect((await hello.promise).includes('api.test')).toBe(true);
  });
});

describe('what is sent', () => {
  it('the URL, its host and the allowed headers, with no compression asked for', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const headers = [
      { name: 'Host', value: 'evil.test' },
      { name: 'Transfer-Encoding', value: 'chunked' },
      { name: 'Content-Length', value: '1' },
      { name: 'Connection', value: 'close' },
      { name: 'Accept-Encoding', value: 'gzip' },
      { name: 'X-Api-Key', value: 'k' },
    ];
    await trusting(origin)(`${origin}/a?b=c`, { method: 'POST', headers, body: new TextEncoder().encode('hello') });
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]).toMatchObject({ method: 'POST', url: '/a?b=c', body: 'hello' });
    expect(server.seen[0]?.headers).toMatchObject({
      host: `api.test:${server.port}`,
      'content-length': '5',
      'accept-encoding': 'identity',
      'x-api-key': 'k',
    });
    expect(server.seen[0]?.headers['transfer-encoding']).toBeUndefined();
  });

  it.each([
    ['a line break in a header', { headers: [{ name: 'x-a', value: 'b\r\nx-c: d' }] }, 'denied'],
    ['an unknown method', { method: 'CONNECT' }, 'denied'],
    ['a method in lower case', { method: 'get' }, 'denied'],
    ['a body with GET', { body: new Uint8Array(1) }, 'denied'],
    ['a body that is too large', { method: 'POST', body: new Uint8Array(1_048_577) }, 'too-large'],
  ])('not %s', async (_name, request, error) => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`, request)).toEqual({ ok: false, error });
    expect(server.connections).toBe(0);
  });
});

describe('redirects', () => {
  it('are followed 3 times and not a 4th', async () => {
    const server = await upstream(({ url }, response) => {
      const left = Number(url?.slice(1));
      if (left === 0) response.end('there');
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    const origin = `http://api.test:${server.port}`;
    const fetch = trusting(origin);
    expect(textOf(await fetch(`${origin}/3`))).toBe('there');
    expect(await fetch(`${origin}/4`)).toEqual({ ok: false, error: 'not-allowed' });
  });

  it('are judged again: by the list and by the address', async () => {
    const inner = await upstream(ok);
    const locations = new Map([
      ['/list', `http://other.test:${inner.port}/`],
      ['/address', `http://inner.test:${inner.port}/`],
      ['/metadata', 'http://169.254.169.254/latest/meta-data/'],
      ['/userinfo', `http://api.test@other.test:${inner.port}/`],
      ['/file', 'file:///etc/passwd'],
    ]);
    const server = await upstream(({ url }, response) => {
      response.writeHead(307, { location: locations.get(url ?? '') ?? '' }).end();
    });
    const origin = `http://api.test:${server.port}`;
    const allow = [origin, `http://inner.test:${inner.port}`, 'http://169.254.169.254'];
    const fetch = trusting(origin);
    const errors = [];
    for (const path of locations.keys()) errors.push(await fetch(`${origin}${path}`, {}, { allow }));
    expect(errors.map((result) => !result.ok && result.error)).toEqual([
      'not-allowed',
      'not-allowed',
      'not-allowed',
      'invalid-url',
      'invalid-url',
    ]);
    expect(inner.connections).toBe(0);
  });

  it('to another origin leave the credentials behind', async () => {
    const target = await upstream(ok);
    const server = await upstream((_seen, response) => {
      response.writeHead(307, { location: `http://b.test:${target.port}/` }).end();
    });
    const origins = [`http://a.test:${server.port}`, `http://b.test:${target.port}`];
    const http = capability({ privateOrigins: origins });
    const headers = ['authorization', 'cookie', 'x-api-key', 'accept'].map((name) => ({ name, value: 'v' }));
    const result = await http.fetch(
      { method: 'POST', url: `${origins[0]}/`, headers, body: new TextEncoder().encode('b') },
      { allow: origins, deadlineMs: 5_000 },
    );
    expect(textOf(result)).toBe('fine');
    expect(server.seen[0]?.headers).toMatchObject({ authorization: 'v', 'x-api-key': 'v' });
    expect(target.seen[0]).toMatchObject({ method: 'POST', body: 'b', headers: { accept: 'v' } });
    for (const name of ['authorization', 'cookie', 'x-api-key'])
      expect(target.seen[0]?.headers).not.toHaveProperty(name);
  });

  it('that say "see other" become a GET without a body', async () => {
    const server = await upstream(({ url }, response) => {
      if (url === '/done') response.end('done');
      else response.writeHead(303, { location: '/done' }).end();
    });
    const origin = `http://api.test:${server.port}`;
    const headers = [{ name: 'content-type', value: 'text/plain' }];
    expect(textOf(await trusting(origin)(`${origin}/`, { method: 'POST', headers, body: new Uint8Array(3) }))).toBe(
      'done',
    );
    expect(server.seen[1]).toMatchObject({ method: 'GET', body: '' });
    expect(server.seen[1]?.headers).not.toHaveProperty('content-type');
  });
});

describe('what comes back', () => {
  it('status, headers and body, without what frames the connection', async () => {
    const server = await upstream((_seen, response) => {
      response.writeHead(418, { 'x-a': 'b', 'set-cookie': ['a=1', 'b=2'], 'keep-alive': 'x' }).end('tea');
    });
    const origin = `http://api.test:${server.port}`;
    const result = await trusting(origin)(`${origin}/`);
    expect(textOf(result)).toBe('tea');
    const { status, headers } = (result as { value: { status: number; headers: HttpHeader[] } }).value;
    expect(status).toBe(418);
    expect(headers).toEqual(
      expect.arrayContaining([
        { name: 'x-a', value: 'b' },
        { name: 'set-cookie', value: 'b=2' },
      ]),
    );
    expect(headers.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['keep-alive']));
    expect(headers.map(({ name }) => name)).not.toEqual(expect.arrayContaining(['transfer-encoding']));
  });

  it('a compressed bomb stays compressed', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const server = await upstream((_seen, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    });
    const origin = `http://api.test:${server.port}`;
    const result = await trusting(origin)(`${origin}/`);
    expect((result as { value: { body: Uint8Array } }).value.body.byteLength).toBe(bomb.byteLength);
  });

  it('too large a body, endless or announced, ends the fetch and the socket', async () => {
    const closed = Promise.withResolvers<void>();
    const server = await upstream((_seen, response) => {
      response.on('close', closed.resolve);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'too-large' });
    await closed.promise;
  });

  it('too large a head is refused', async () => {
    const server = await upstream((_seen, response) => {
      response.writeHead(200, { 'x-a': 'v'.repeat(20_000) }).end();
    });
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'too-large' });
  });

  it.each([
    ['never answers', (): void => undefined],
    [
      'drips its body',
      (_seen: Seen, response: ServerResponse): void => {
        const timer = setInterval(() => response.write('.'), 10);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ])('a server that %s costs the time that is left, no more', async (_name, answer) => {
    const server = await upstream(answer);
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`, {}, { deadlineMs: 150 })).toEqual({ ok: false, error: 'timeout' });
  });

  it('a resolver that never answers costs the connect timeout', async () => {
    const http = capability({ resolve: () => new Promise(() => undefined), limits: { connectTimeoutMs: 50 } });
    const context = { allow: ['http://api.test'], deadlineMs: 10_000 };
    const result = await http.fetch({ method: 'GET', url: 'http://api.test/', headers: [] }, context);
    expect(result).toEqual({ ok: false, error: 'timeout' });
  });

  it('a request that has no time left is not sent', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`, {}, { deadlineMs: 0 })).toEqual({ ok: false, error: 'timeout' });
    expect(server.connections).toBe(0);
  });

  it.each([
    ['closes', (socket: Socket) => socket.destroy()],
    ['speaks something else', (socket: Socket) => socket.end('SSH-2.0-OpenSSH_9\r\n')],
    [
      'answers twice in one',
      (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'),
    ],
  ])('a peer that %s is unreachable', async (_name, answer) => {
    const tcp = createTcpServer((socket) => {
      socket.once('data', () => answer(socket));
    });
    const origin = `http://api.test:${await listen(tcp)}`;
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'unreachable' });
  });

  it('a name that does not resolve, and a port where nobody listens, are unreachable', async () => {
    const missing: Resolve = async () => {
      throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
    };
    const context = { allow: ['http://api.test'], deadlineMs: 5_000 };
    const request = { method: 'GET', url: 'http://api.test/', headers: [] };
    expect(await capability({ resolve: missing }).fetch(request, context)).toEqual({ ok: false, error: 'unreachable' });
    const server = createTcpServer();
    const origin = `http://api.test:${await listen(server)}`;
    await new Promise((resolve) => server.close(resolve));
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'unreachable' });
  });
});
