import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { COMPONENT_MAGIC, manifest, scratchDir } from '../spec/scratch.ts';
import { run } from './program.ts';

const TOKEN = 'alga_pub_0123456789';
const PUBLISHED = { extensionId: 'probe', version: '1.2.3', contentHash: `sha256:${'ab'.repeat(32)}` };
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

async function files(contents: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const { dir, remove } = await scratchDir(contents);
  cleanups.push(remove);
  return dir;
}

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function registry(answer: (response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method, url, headers } = request;
    received.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

const answering =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));

async function alga(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = { env, out: (text: string) => void out.push(text), err: (text: string) => void err.push(text) };
  const code = await run(args, { ...terminal, rewritesLines: false });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('alga publish', () => {
  it('sends the bundle with the token and prints what was published', async () => {
    const server = await registry(answering(201, PUBLISHED));
    const dir = await files({ 'b.tar.zst': 'the bundle', token: `${TOKEN}\n` });
    const { code, out } = await alga([
      'publish',
      join(dir, 'b.tar.zst'),
      '--registry',
      `${server.url}/base/`,
      '--token-file',
      join(dir, 'token'),
    ]);
    expect([code, out]).toEqual([0, `published probe 1.2.3\n${PUBLISHED.contentHash}`]);
    expect(server.received).toMatchObject([
      {
        method: 'POST',
        url: '/base/v1/bundles',
        headers: { 'content-type': 'application/zstd', authorization: `Bearer ${TOKEN}` },
        body: 'the bundle',
      },
    ]);
  });

  it('packs a folder first', async () => {
    const server = await registry(answering(201, PUBLISHED));
    const dir = await files({
      'manifest.json': manifest({ engine: 'native' }),
      'dist/component.wasm': COMPONENT_MAGIC,
    });
    const { code, out } = await alga(['publish', dir, '--registry', server.url, '--json'], { ALGA_TOKEN: TOKEN });
    expect([code, JSON.parse(out)]).toEqual([0, { ok: true, ...PUBLISHED }]);
  });

  it('shows a problem document as code, sentence, fields, fix and request, and ends with 1', async () => {
    const server = await registry(
      answering(422, {
        type: 't',
        title: 't',
        status: 422,
        code: 'manifest_invalid',
        detail: 'The manifest does not match its schema.',
        fix: 'Correct the field.\u001b[2J',
        requestId: 'req_12345678',
        errors: [{ field: '/title', reason: 'is required' }, 'junk'],
      }),
    );
    const dir = await files({ b: 'x' });
    const { code, err } = await alga(['publish', join(dir, 'b'), '--registry', server.url], { ALGA_TOKEN: TOKEN });
    expect(code).toBe(1);
    expect(err.split('\n').slice(1)).toEqual([
      'error manifest_invalid: The manifest does not match its schema.',
      '  /title is required',
      '  fix: Correct the field.',
      '  request: req_12345678',
    ]);
  });

  it.each([
    ['success in an unknown form', answering(200, { hello: 1 })],
    ['text', answering(500, 'oops')],
    ['more than a registry ever says', answering(500, 'x'.repeat(100_000))],
    ['a redirect', answering(302, '', { location: 'http://127.0.0.1:9/' })],
  ])('says that it is no registry that answers with %s', async (_, answer) => {
    const server = await registry(answer);
    const dir = await files({ b: 'x' });
    const args = ['publish', join(dir, 'b'), '--registry', server.url, '--json'];
    const { code, out } = await alga(args, { ALGA_TOKEN: TOKEN });
    expect([code, JSON.parse(out)]).toMatchObject([1, { ok: false, problem: { code: 'not_a_registry' } }]);
    expect(server.received).toHaveLength(1);
  });

  it.each([
    ['refuses the connection', undefined],
    ['hangs up', (response: ServerResponse) => void response.destroy()],
  ])('ends with 3 where the registry %s, and never prints the token', async (_, answer) => {
    const server = await registry(answer ?? (() => {}));
    if (answer === undefined) await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
    const dir = await files({ b: 'x' });
    const { code, err, out } = await alga(['publish', join(dir, 'b'), '--registry', server.url], { ALGA_TOKEN: TOKEN });
    expect(code).toBe(3);
    expect(err).toContain('error registry_unreachable:');
    expect(err + out).not.toContain(TOKEN);
  });

  it.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
    ['no token', [], {}, 'token_missing'],
    ['a token file that is not there', ['--token-file', '/nonexistent/token'], {}, 'token_unreadable'],
    ['an empty token', [], { ALGA_TOKEN: ' \n' }, 'token_missing'],
    ['a token that would break the header', [], { ALGA_TOKEN: 'a\nb' }, 'token_malformed'],
    ['a registry that is no URL', ['--registry', 'registry'], { ALGA_TOKEN: TOKEN }, 'registry_url_invalid'],
    ['a registry with credentials', ['--registry', 'http://u:p@h'], { ALGA_TOKEN: TOKEN }, 'registry_url_invalid'],
    ['a registry that is not http', ['--registry', 'ftp://h'], { ALGA_TOKEN: TOKEN }, 'registry_url_invalid'],
  ])('ends with 2 for %s', async (_, args, env, problem) => {
    const dir = await files({ b: 'x' });
    const line = ['publish', join(dir, 'b'), '--registry', 'http://127.0.0.1:9', ...args, '--json'];
    const { code, out } = await alga(line, env);
    expect([code, JSON.parse(out)]).toMatchObject([2, { ok: false, problem: { kind: 'usage', code: problem } }]);
  });

  it('ends with 1 where there is nothing to publish', async () => {
    const { code, err } = await alga(['publish', '/nonexistent', '--registry', 'http://h'], { ALGA_TOKEN: TOKEN });
    expect(code).toBe(1);
    expect(err).toContain('error bundle_not_found:');
  });
});

describe('alga', () => {
  it.each([[[]], [['shout']], [['publish']], [['build', '--fast']], [['build', 'a', 'b']]])(
    'ends with 2 and one problem for the arguments %j',
    async (args) => {
      const { code, out, err } = await alga(args);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(/^error usage: .*\n {2}fix: /);
      expect(JSON.parse((await alga([...args, '--json'])).out)).toMatchObject({
        ok: false,
        problem: { kind: 'usage' },
      });
    },
  );

  it('ends with 0 for a request for help', async () => {
    const { code, out } = await alga(['publish', '--help']);
    expect(code).toBe(0);
    expect(out).toContain('--token-file');
  });

  it('prints place, field and fix of a manifest error, and ends with 1', async () => {
    const dir = await files({ 'manifest.json': '{' });
    const { code, err } = await alga(['bundle', dir]);
    expect(code).toBe(1);
    expect(err).toBe(
      'error manifest_invalid: manifest.json is not JSON.\n  at manifest.json:1:2\n  fix: Correct the syntax at this place.',
    );
  });
});
