// The egress corpus of SECURITY.md, in its order: each class with members beyond the ones it names. One file, though long: a table.
import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Resolve } from '../egress/transport.ts';
import type { HttpHeader } from '../sandbox/protocol.ts';
import {
  capability,
  closeAll,
  ok,
  rawUpstream,
  type Seen,
  sockets,
  systemResolving,
  textOf,
  trusting,
  upstream,
} from './fixtures/upstreams.ts';

afterEach(closeAll);

const resolvingTo =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

const NOT_ALLOWED = { ok: false, error: 'not-allowed' };

describe('numeric and odd IPv4 forms', () => {
  const FORMS = [
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '0',
    '\uff11\uff12\uff17.0.0.1',
    '127\u30020\u30020\u30021',
    '%31%32%37.0.0.1',
  ];

  it.each(FORMS)('%s reaches nothing, be it on the allow-list in this form or in its plain one', async (host) => {
    const server = await upstream(ok);
    const url = `http://${host}:${server.port}/`;
    const plain = [`http://127.0.0.1:${server.port}`, `http://0.0.0.0:${server.port}`];
    for (const allow of [[url], plain]) {
      const answer = await capability().fetch({ method: 'GET', url, headers: [] }, { allow, deadlineMs: 5_000 });
      expect(answer).toEqual(NOT_ALLOWED);
    }
    expect(server.connections).toBe(0);
  });

  it.each(['256.0.0.1', '4294967296', '1.2.3.4.5', '0x1ffffffff'])('%s is no address', async (host) => {
    const url = `http://${host}/`;
    const answer = await capability().fetch({ method: 'GET', url, headers: [] }, { allow: [url], deadlineMs: 5_000 });
    expect(answer).toEqual({ ok: false, error: 'invalid-url' });
  });
});

describe('mapped, NAT64, link-local and metadata addresses', () => {
  const ADDRESSES = [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::a9fe:a9fe',
    '2002:7f00:1::',
    'fe80::1',
    'fe80::1%lo',
    'fd00:ec2::254',
    '::1',
    '::',
    '0.0.0.0',
    '127.0.0.53',
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
  ];

  it.each(ADDRESSES)('a name that resolves to %s is refused without a connection', async (address) => {
    const http = capability({ resolve: resolvingTo(address) });
    const request = { method: 'GET', url: 'http://api.test/', headers: [] };
    expect(await http.fetch(request, { allow: ['http://api.test'], deadlineMs: 2_000 })).toEqual(NOT_ALLOWED);
  });

  it.each(ADDRESSES.filter((address) => address.includes(':') && !address.includes('%')))(
    'and so is [%s] itself, be it on the allow-list',
    async (address) => {
      const url = `http://[${address}]/`;
      const answer = await capability().fetch({ method: 'GET', url, headers: [] }, { allow: [url], deadlineMs: 2_000 });
      expect(answer).toEqual(NOT_ALLOWED);
    },
  );

  it.each(['localhost', 'localhost.', 'api.localhost', 'ip6-localhost'])(
    'the name %s is judged by its address, as the resolver of this machine gives it',
    async (name) => {
      const server = await upstream(ok);
      const url = `http://${name}:${server.port}/`;
      const http = systemResolving();
      const answer = await http.fetch({ method: 'GET', url, headers: [] }, { allow: [url], deadlineMs: 5_000 });
      // A resolver that does not know the name leads nowhere either.
      expect([NOT_ALLOWED, { ok: false, error: 'unreachable' }]).toContainEqual(answer);
      expect(server.connections).toBe(0);
    },
  );
});

describe('a private AAAA beside a public A', () => {
  it.each([
    [['93.184.215.14', '::1']],
    [['93.184.215.14', 'fd12::1']],
    [['::ffff:10.0.0.1', '93.184.215.14']],
    [['93.184.215.14', '2606:2800:21f:cb07::1', '127.0.0.1']],
  ])('%j is refused whole, whichever comes first', async (addresses) => {
    for (const order of [addresses, addresses.toReversed()]) {
      const http = capability({ resolve: resolvingTo(...order) });
      const request = { method: 'GET', url: 'http://api.test/', headers: [] };
      expect(await http.fetch(request, { allow: ['http://api.test'], deadlineMs: 2_000 })).toEqual(NOT_ALLOWED);
    }
  });

  it('is judged anew for each connection: a name that was public before is not trusted after', async () => {
    const server = await upstream((_seen, response) => {
      response.writeHead(200, { connection: 'close' }).end('fine');
    });
    const origin = `http://api.test:${server.port}`;
    let lookups = 0;
    // The first answer is at a loopback address that the operator allows for this origin alone.
    const http = capability({
      privateOrigins: [origin],
      resolve: async () => {
        lookups += 1;
        if (lookups === 1) return [{ address: '127.0.0.1', family: 4 }];
        throw Object.assign(new Error('gone'), { code: 'ENOTFOUND' });
      },
    });
    const fetch = () =>
      http.fetch({ method: 'GET', url: `${origin}/`, headers: [] }, { allow: [origin], deadlineMs: 2_000 });
    expect(textOf(await fetch())).toBe('fine');
    expect(await fetch()).toEqual({ ok: false, error: 'unreachable' });
    expect(lookups).toBe(2);
  });
});

describe('redirects inward', () => {
  it.each([
    ['http://127.0.0.1:PORT/', 'not-allowed'],
    ['http://2130706433:PORT/', 'not-allowed'],
    ['http://[::ffff:127.0.0.1]:PORT/', 'not-allowed'],
    ['//127.0.0.1:PORT/', 'not-allowed'],
    ['///127.0.0.1:PORT/', 'not-allowed'],
    ['http:127.0.0.1:PORT/', 'not-allowed'],
    ['http://inner.test:PORT/', 'not-allowed'],
    ['http://api.test.evil.test:PORT/', 'not-allowed'],
    ['http://api.test.:PORT/', 'not-allowed'],
    ['http://169.254.169.254/latest/meta-data/', 'not-allowed'],
    ['/\\127.0.0.1:PORT/', 'invalid-url'],
    ['http:\\\\127.0.0.1:PORT/', 'invalid-url'],
    ['http://api.test@127.0.0.1:PORT/', 'invalid-url'],
    ['http://api.test:x@127.0.0.1:PORT/', 'invalid-url'],
    ['ht\ttp://127.0.0.1:PORT/', 'invalid-url'],
    ['gopher://127.0.0.1:PORT/', 'invalid-url'],
    ['file:///etc/passwd', 'invalid-url'],
    ['data:text/plain,inner', 'invalid-url'],
    ['javascript:1', 'invalid-url'],
  ])('to %s end the fetch: %s', async (location, error) => {
    const inner = await upstream(ok);
    const to = location.replace('PORT', String(inner.port));
    const server = await upstream((_seen, response) => {
      response.writeHead(302, { location: to }).end();
    });
    const origin = `http://api.test:${server.port}`;
    // The tenant's list is as wide as it can be: it is the address that is judged.
    const allow = [
      origin,
      `http://127.0.0.1:${inner.port}`,
      `http://inner.test:${inner.port}`,
      'http://169.254.169.254',
    ];
    expect(await trusting(origin)(`${origin}/`, {}, { allow })).toEqual({ ok: false, error });
    expect(inner.connections).toBe(0);
  });

  it('are not followed from a name that may be private to another port of it', async () => {
    const inner = await upstream(ok);
    const server = await upstream((_seen, response) => {
      response.writeHead(307, { location: `http://api.test:${inner.port}/` }).end();
    });
    const origin = `http://api.test:${server.port}`;
    const allow = [origin, `http://api.test:${inner.port}`];
    expect(await trusting(origin)(`${origin}/`, {}, { allow })).toEqual(NOT_ALLOWED);
    expect(inner.connections).toBe(0);
  });
});

describe('userinfo, backslash, trailing dot and look-alike names', () => {
  it.each([
    ['http://api.test@evil.test:PORT/', 'invalid-url'],
    ['http://evil.test\\@api.test:PORT/', 'invalid-url'],
    ['http://evil.test:PORT\\.api.test/', 'invalid-url'],
    ['http:/\\api.test:PORT/', 'invalid-url'],
    ['http://api.test:PORT@evil.test/', 'invalid-url'],
    ['http://@api.test:PORT/', undefined],
    ['http://api.test.:PORT/', 'not-allowed'],
    ['http://api.test..:PORT/', 'not-allowed'],
    ['http://evilapi.test:PORT/', 'not-allowed'],
    ['http://api.test.evil.test:PORT/', 'not-allowed'],
    ['http://api.test\u3002evil.test:PORT/', 'not-allowed'],
    ['http://api-test:PORT/', 'not-allowed'],
    ['http://\u0430pi.test:PORT/', 'not-allowed'],
    ['http://api.te\u017ft:PORT/', undefined],
    ['http://evil.test:PORT/#@api.test/', 'not-allowed'],
    ['http://evil.test:PORT/?api.test', 'not-allowed'],
  ])('%s: %s', async (template, error) => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const answer = await trusting(origin)(template.replace('PORT', String(server.port)));
    if (error !== undefined) {
      expect(answer).toEqual({ ok: false, error });
      expect(server.connections).toBe(0);
      return;
    }
    // Another spelling of the allowed name and nothing else: that name is what is asked for.
    expect(textOf(answer)).toBe('fine');
    expect(server.seen[0]?.headers.host).toBe(`api.test:${server.port}`);
  });
});

describe('Host override, Transfer-Encoding and whatever else frames a message', () => {
  it.each([
    'Host',
    'hOsT',
    'Transfer-Encoding',
    'Content-Length',
    'Connection',
    'Upgrade',
    'TE',
    'Trailer',
    'Expect',
    'Proxy-Connection',
    'Proxy-Authorization',
    'X-Forwarded-Host',
    'Forwarded',
  ])('%s of a guest is not sent', async (name) => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const values = ['evil.test', 'chunked', '0', 'x-secret', '100-continue'];
    const headers = values.map((value) => ({ name, value }));
    const answer = await trusting(origin)(`${origin}/`, { method: 'POST', headers, body: new Uint8Array([65, 66]) });
    expect(textOf(answer)).toBe('fine');
    expect(server.seen).toHaveLength(1);
    expect(server.seen[0]?.body).toBe('AB');
    const sent = server.seen[0]?.headers ?? {};
    expect(sent).toMatchObject({ host: `api.test:${server.port}`, 'content-length': '2' });
    for (const value of values.filter((each) => each !== '0')) expect(Object.values(sent)).not.toContain(value);
  });

  it.each<[string, HttpHeader]>([
    ['a colon', { name: ':authority', value: 'evil.test' }],
    ['a space', { name: 'host ', value: 'evil.test' }],
    ['a line break in the name', { name: 'x\r\nhost', value: 'evil.test' }],
    ['a line break in the value', { name: 'x', value: 'a\r\nhost: evil.test' }],
    ['a bare line feed', { name: 'x', value: 'a\nhost: evil.test' }],
    ['a character beyond latin1 that ends in a line feed', { name: 'x', value: 'a\u010ahost: evil.test' }],
    ['a NUL', { name: 'x', value: 'a\u0000' }],
  ])('a header with %s is refused before a connection', async (_what, header) => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`, { headers: [header] })).toEqual({ ok: false, error: 'denied' });
    expect(server.connections).toBe(0);
  });

  it.each([
    ['two lengths', 'content-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'],
    ['a length that is none', 'content-length: -1\r\n\r\nab'],
    ['chunks that are none', 'transfer-encoding: chunked\r\n\r\nzz\r\nab'],
    ['a header that goes on in the next line', 'x-a: b\r\n c: d\r\ncontent-length: 0\r\n\r\n'],
    ['a NUL in a header', 'x-a: b\u0000c\r\ncontent-length: 0\r\n\r\n'],
    ['less than it said', 'content-length: 9\r\n\r\nab'],
  ])('a response with %s is none', async (_what, rest) => {
    const origin = await rawUpstream((socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`));
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'unreachable' });
  });

  it('a protocol that nobody asked to switch to ends the fetch', async () => {
    const origin = await rawUpstream((socket) =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello'),
    );
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'unreachable' });
  });

  it('a response that nobody asked for is never the answer to the next request', async () => {
    const smuggled = 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled';
    let sent = 0;
    const origin = await rawUpstream((socket) => {
      const answer = () => {
        sent += 1;
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine${sent === 1 ? smuggled : ''}`);
      };
      socket.on('data', answer);
      answer();
    });
    const fetch = trusting(origin);
    const answers = [];
    for (let call = 0; call < 4; call++) {
      const answer = await fetch(`${origin}/${call}`);
      answers.push(answer.ok ? textOf(answer) : answer.error);
    }
    expect(answers).not.toContain('smuggled');
    expect(answers.at(-1)).toBe('fine');
  });
});

describe('endless, slow and compressed-bomb responses', () => {
  const every = (ms: number, write: () => void, socket: Socket): void => {
    const timer = setInterval(write, ms);
    socket.on('close', () => clearInterval(timer));
  };

  it.each<[string, (socket: Socket) => void]>([
    ['nothing at all', () => undefined],
    ['a status line, byte by byte', (socket) => every(5, () => socket.write('H'), socket)],
    [
      'its head, byte by byte',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nx-a: ');
        every(5, () => socket.write('b'), socket);
      },
    ],
    [
      'early hints for ever',
      (socket) => every(5, () => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'), socket),
    ],
    ['"continue" for ever', (socket) => every(5, () => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), socket)],
    [
      'chunks of one byte for ever',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
        every(5, () => socket.write('1\r\na\r\n'), socket);
      },
    ],
    ['all but the last byte', (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab')],
  ])('a server that sends %s costs the time that is left and then its socket', async (_what, answer) => {
    const closed = Promise.withResolvers<void>();
    const origin = await rawUpstream((socket) => {
      socket.on('close', () => closed.resolve());
      answer(socket);
    });
    const started = performance.now();
    const result = await trusting(origin)(`${origin}/`, {}, { deadlineMs: 200 });
    // What is no HTTP is seen to be none before the time is up.
    expect([
      { ok: false, error: 'timeout' },
      { ok: false, error: 'unreachable' },
    ]).toContainEqual(result);
    expect(performance.now() - started).toBeLessThan(1_500);
    await closed.promise;
  });

  it('a redirect costs the same time: the hops of one fetch share it', async () => {
    const server = await upstream(({ url }, response) => {
      setTimeout(() => response.writeHead(302, { location: `${url}x` }).end(), 120);
    });
    const origin = `http://api.test:${server.port}`;
    const started = performance.now();
    expect(await trusting(origin)(`${origin}/`, {}, { deadlineMs: 200 })).toEqual({ ok: false, error: 'timeout' });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    [
      '10,000 headers',
      (response) => {
        for (let index = 0; index < 10_000; index++) response.setHeader(`x-${index}`, '1');
        response.end();
      },
    ],
    [
      '200 short headers',
      (response) => {
        for (let index = 0; index < 200; index++) response.setHeader(`x-${index}`, '1');
        response.end();
      },
    ],
    ['one huge header', (response) => void response.setHeader('x-a', 'v'.repeat(64 * 1024)).end()],
    ['a body over the limit in one piece', (response) => void response.end(Buffer.alloc(600_000))],
    [
      'a length over the limit',
      (response) => {
        response.writeHead(200, { 'content-length': String(10 ** 12) });
        response.write(Buffer.alloc(600_000));
      },
    ],
  ])('%s are too large', async (_what, answer) => {
    const server = await upstream((_seen: Seen, response) => answer(response));
    const origin = `http://api.test:${server.port}`;
    expect(await trusting(origin)(`${origin}/`)).toEqual({ ok: false, error: 'too-large' });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('a %s bomb is passed on as the small thing that it is on the wire', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(50_000_000));
    const server = await upstream((_seen, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(bomb);
    });
    const origin = `http://api.test:${server.port}`;
    const before = process.memoryUsage().arrayBuffers;
    const answer = await trusting(origin)(`${origin}/`);
    expect((answer as { value: { body: Uint8Array } }).value.body).toEqual(new Uint8Array(bomb));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    expect(server.seen[0]?.headers['accept-encoding']).toBe('identity');
  });
});

describe('an empty allow-list', () => {
  it.each([[[]], [['']], [['null']], [['*']], [['http://']], [['http://*']], [['file://']]])(
    '%j allows nothing, and neither does one of what is no origin',
    async (allow) => {
      const server = await upstream(ok);
      const origin = `http://api.test:${server.port}`;
      const fetch = trusting(origin);
      expect(await fetch(`${origin}/`, {}, { allow })).toEqual(NOT_ALLOWED);
      expect((await fetch('data:text/plain,x', {}, { allow })).ok).toBe(false);
      expect(server.connections).toBe(0);
    },
  );
});

describe('a proxy environment', () => {
  it('is not looked at, in any of its spellings, by a process that was started with it', async () => {
    const proxy = await upstream(ok);
    const server = await upstream(ok);
    const origin = `http://127.0.0.1:${server.port}`;
    const to = `http://127.0.0.1:${proxy.port}`;
    const names = [
      'http_proxy',
      'HTTP_PROXY',
      'https_proxy',
      'HTTPS_PROXY',
      'all_proxy',
      'ALL_PROXY',
      'npm_config_proxy',
    ];
    const program = `
      const { createHttpCapability } = await import(${JSON.stringify(new URL('./http.ts', import.meta.url).href)});
      const http = createHttpCapability({ privateOrigins: [${JSON.stringify(origin)}] });
      const request = { method: 'GET', url: ${JSON.stringify(`${origin}/`)}, headers: [] };
      const answer = await http.fetch(request, { allow: [${JSON.stringify(origin)}], deadlineMs: 5000 });
      console.log(JSON.stringify(answer.ok && answer.value.status));
      await http.close();`;
    const env = {
      PATH: process.env.PATH,
      NODE_USE_ENV_PROXY: '1',
      ...Object.fromEntries(names.map((name) => [name, to])),
    };
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { env });
    expect(stdout.trim()).toBe('200');
    expect([server.connections, proxy.connections]).toEqual([1, 0]);
  });
});

describe('a pooled socket', () => {
  it('gives nobody an origin that the claims of this very call do not have (I6)', async () => {
    const server = await upstream(ok);
    const origin = `http://api.test:${server.port}`;
    const fetch = trusting(origin);
    expect(textOf(await fetch(`${origin}/`))).toBe('fine');
    expect(sockets.size).toBe(1);
    for (const allow of [[], ['http://other.test'], [`https://api.test:${server.port}`]]) {
      expect(await fetch(`${origin}/`, {}, { allow })).toEqual(NOT_ALLOWED);
    }
    expect(server.seen).toHaveLength(1);
    expect(sockets.size).toBe(1);
    expect(textOf(await fetch(`${origin}/`))).toBe('fine');
  });

  it('is not used by a redirect to an origin that was revoked', async () => {
    const inner = await upstream(ok);
    const innerOrigin = `http://inner.test:${inner.port}`;
    const server = await upstream((_seen, response) => {
      response.writeHead(307, { location: `${innerOrigin}/` }).end();
    });
    const origin = `http://api.test:${server.port}`;
    const http = capability({ privateOrigins: [origin, innerOrigin] });
    const fetch = (allow: string[]) =>
      http.fetch({ method: 'GET', url: `${origin}/`, headers: [] }, { allow, deadlineMs: 5_000 });
    expect(textOf(await fetch([origin, innerOrigin]))).toBe('fine');
    expect(await fetch([origin])).toEqual(NOT_ALLOWED);
    expect(inner.seen).toHaveLength(1);
  });
});
