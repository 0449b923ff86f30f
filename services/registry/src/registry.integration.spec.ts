// The registry as a black box over HTTP and NATS.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { zstdCompressSync } from 'node:zlib';
import { unpackFiles, verifyArtifact } from '@alga/artifact';
import type { Bus } from '@alga/chassis';
import { type ApikeyVerifyReply, BUNDLE_BUCKET, channels, type Problem } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { openBlobStore } from '@alga/storage';
import { jetstreamManager } from '@nats-io/jetstream';
import { END, rawEntry, tarOf } from './test-support/archive.ts';
import { manifestOf } from './test-support/manifest.ts';
import { type Answer, type RunningRegistry, startRegistry } from './test-support/running-registry.ts';
import { smallComponent } from './test-support/small-component.ts';

const KEYS: Readonly<Record<string, ApikeyVerifyReply>> = {
  alga_publisher_of_acme: { keyId: 'k-acme', tenantId: 'acme', scopes: ['publish'] },
  alga_publisher_of_globex: { keyId: 'k-globex', tenantId: 'globex', scopes: ['publish'] },
  alga_platform_operator: { keyId: 'k-operator', scopes: ['operator'] },
  alga_invoking_for_acme: { keyId: 'k-invoke', tenantId: 'acme', scopes: ['invoke'] },
};
const ACME = 'alga_publisher_of_acme';
/** What a component goes through, in order. */
const STAGES = [
  ...['archive', 'manifest', 'version', 'component'],
  ...['structure', 'imports', 'transpile', 'patch'],
  ...['capabilities', 'store'],
];
const READ = { maxBytes: 64 * 1024 * 1024, deadlineMs: 5_000 };

let registry: RunningRegistry;
let origin: string;
let peer: Bus;
let component: Uint8Array;

beforeAll(async () => {
  component = await smallComponent(['context', 'secrets']);
  registry = await startRegistry(KEYS);
  ({ origin, peer } = registry);
}, 180_000);

afterAll(() => registry?.stop(), 60_000);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const bundle = async (manifest: string, wasm: Uint8Array = component): Promise<Buffer> =>
  zstdCompressSync(await tarOf({ 'manifest.json': manifest, 'component.wasm': wasm }));

const post = (body: Uint8Array, options: { readonly key?: string; readonly type?: string } = {}) =>
  registry.post(body, { key: ACME, ...options });

const get = (pathname: string, key = ACME) => registry.get(pathname, key);

const artifactOf = async (request: { contentHash: string } | { extensionId: string; version?: string }) =>
  peer.request(channels.artifactResolve, request, { deadlineMs: 5_000 });

describe('publishing', () => {
  it('gives an artifact that a runner finds by its content, verifies and unpacks', async () => {
    const heard = Promise.withResolvers<unknown>();
    peer.listen(channels.extensionPublished, (event) => {
      if (event.extensionId === 'happy') heard.resolve(event);
    });
    await peer.connection.flush();
    const upload = await bundle(manifestOf({ extensionId: 'happy' }));
    const published = await post(upload);
    const contentHash = `sha256:${sha256(component)}`;
    expect(published).toMatchObject({
      status: 201,
      body: {
        extensionId: 'happy',
        version: '1.0.0',
        contentHash,
        imports: ['alga:extension/types@1.0.0', 'alga:extension/context@1.0.0', 'alga:extension/secrets@1.0.0'],
        sizes: { bundle: upload.byteLength, component: component.byteLength },
      },
    });
    expect((published.body.checks as { name: string; ok: boolean }[]).map(({ name, ok }) => [name, ok])).toEqual(
      STAGES.map((name) => [name, true]),
    );
    expect(await heard.promise).toMatchObject({ extensionId: 'happy', version: '1.0.0', contentHash });

    const found = await artifactOf({ contentHash });
    expect(found.manifest).toMatchObject({ extensionId: 'happy', capabilities: ['context.read', 'secrets.get'] });
    const store = await openBlobStore(peer.connection, BUNDLE_BUCKET, { create: false });
    const blob = await store.get(found.object, READ);
    const files = unpackFiles(blob ?? new Uint8Array());
    if (!files.ok) throw new Error(files.reason);
    const { signature } = found;
    const verified = await verifyArtifact({
      signature,
      files: files.files,
      publicKeys: registry.publicKeys,
      contentHash,
    });
    expect(verified).toMatchObject({ ok: true, artifact: { contentHash } });
  });

  it('takes the same upload again for the same version', async () => {
    const upload = await bundle(manifestOf({ extensionId: 'twice' }));
    expect((await post(upload)).status).toBe(201);
    const again = await post(upload);
    expect(again).toMatchObject({ status: 200, body: { extensionId: 'twice', version: '1.0.0' } });
  });

  it('publishes a version once when it is uploaded several times at the same moment', async () => {
    const upload = await bundle(manifestOf({ extensionId: 'at-once' }));
    const answers = await Promise.all([post(upload), post(upload), post(upload)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
  });

  it('never changes a version: other content or another manifest is refused', async () => {
    expect((await post(await bundle(manifestOf({ extensionId: 'fixed' })))).status).toBe(201);
    const retitled = await post(await bundle(manifestOf({ extensionId: 'fixed', title: 'Other' })));
    const rebuilt = await post(await bundle(manifestOf({ extensionId: 'fixed' }), await smallComponent(['context'])));
    for (const answer of [retitled, rebuilt]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'version_exists', errors: [{ field: '/version' }] } });
    }
  });

  it('makes an artifact again that was lost, when its version is uploaded again', async () => {
    const upload = await bundle(manifestOf({ extensionId: 'lost' }), await smallComponent(['secrets']));
    expect((await post(upload)).status).toBe(201);
    const { object } = await artifactOf({ extensionId: 'lost' });
    const stream = `OBJ_${BUNDLE_BUCKET}`;
    const { streams } = await jetstreamManager(peer.connection);
    const name = Buffer.from(object).toString('base64url');
    const padded = name.padEnd(Math.ceil(name.length / 4) * 4, '=');
    await streams.purge(stream, { filter: `$O.${BUNDLE_BUCKET}.M.${padded}` });
    const store = await openBlobStore(peer.connection, BUNDLE_BUCKET, { create: false });
    expect(await store.get(object, READ)).toBeUndefined();

    expect((await post(upload)).status).toBe(200);
    const repaired = await artifactOf({ extensionId: 'lost' });
    expect(await store.get(repaired.object, READ)).toBeDefined();
  });

  it('keeps an extension with the tenant that published it first; an operator may publish for all', async () => {
    expect((await post(await bundle(manifestOf({ extensionId: 'owned' })))).status).toBe(201);
    const next = await bundle(manifestOf({ extensionId: 'owned', version: '1.0.1' }));
    expect(await post(next, { key: 'alga_publisher_of_globex' })).toMatchObject({
      status: 403,
      body: { code: 'forbidden', errors: [{ field: '/extensionId' }] },
    });
    expect((await post(next, { key: 'alga_platform_operator' })).status).toBe(201);
    expect(await artifactOf({ extensionId: 'owned' })).toMatchObject({ version: '1.0.1' });
  });
});

describe('a bundle is refused', () => {
  const refused = async (body: Uint8Array) => {
    const { status, body: problem } = await post(body);
    const { code, errors } = problem as unknown as Problem;
    return { status, code, field: errors?.[0]?.field, reason: errors?.[0]?.reason };
  };
  const tarWith = (...entries: Parameters<typeof rawEntry>[0][]) =>
    zstdCompressSync(Buffer.concat([...entries.map(rawEntry), END]));

  const malformed: [string, () => Uint8Array, string, string][] = [
    ['not compressed', () => Buffer.from('hello'), '/', 'is not Zstandard'],
    ['empty', () => zstdCompressSync(Buffer.alloc(0)), '/', 'without its end marker'],
    ['cut off', () => zstdCompressSync(Buffer.alloc(4096)).subarray(0, -2), '/', 'cut off'],
    ['followed by garbage', () => Buffer.concat([tarWith({}), Buffer.from('tail')]), '/', 'bytes after the end'],
    ['a bomb', () => zstdCompressSync(Buffer.alloc(97 * 1024 * 1024)), '/', 'unpacks to more than 100663296 bytes'],
    ['96 MiB of nothing', () => zstdCompressSync(Buffer.alloc(96 * 1024 * 1024)), 'manifest.json', 'is missing'],
    ['a path upward', () => tarWith({ name: '../../etc/cron.d/x' }), '../../etc/cron.d/x', 'not a plain file name'],
    ['an absolute path', () => tarWith({ name: '/manifest.json' }), '/manifest.json', 'not a plain file name'],
    ['a symbolic link', () => tarWith({ type: '2', linkName: '/etc/passwd' }), 'manifest.json', 'symbolic link'],
    ['a device', () => tarWith({ type: '3' }), 'manifest.json', 'character device'],
    ['a doubled name', () => tarWith({}, {}), 'manifest.json', 'is there twice'],
    ['a stranger', () => tarWith({ name: 'run.sh' }), 'run.sh', 'not part of a bundle'],
    ['a lying length', () => tarWith({ size: '00077777777 ' }), 'manifest.json', 'says that it has 16777215 bytes'],
  ];
  it.each(malformed)('that is or holds %s', async (_, make, field, reason) => {
    const answer = await refused(make());
    expect(answer).toMatchObject({ status: 422, code: 'bundle_invalid', field });
    expect(answer.reason).toContain(reason);
  });

  it('whose manifest does not match its schema, by field', async () => {
    expect(await refused(await bundle(manifestOf({ extensionId: 'Not An Id' })))).toMatchObject({
      status: 422,
      code: 'manifest_invalid',
      field: '/extensionId',
    });
  });

  it.each(['Sam\u0000ple', 'Sam\ud800ple', '\u001b[2JSample'])(
    'whose title is not one line of text, before anything of it is stored: %j',
    async (title) => {
      const answer = await post(await bundle(manifestOf({ extensionId: 'titled', title })));
      expect(answer).toMatchObject({ status: 422, body: { code: 'manifest_invalid', errors: [{ field: '/title' }] } });
    },
  );

  it('that asks for a capability which does not exist', async () => {
    expect(await refused(await bundle(manifestOf({ capabilities: ['fs.read'] })))).toMatchObject({
      status: 422,
      code: 'capability_unknown',
      field: '/capabilities/0',
    });
  });

  it('whose component imports more than its manifest declares', async () => {
    expect(await refused(await bundle(manifestOf({ extensionId: 'greedy', capabilities: ['context.read'] })))).toEqual({
      status: 422,
      code: 'capability_undeclared',
      field: '/capabilities',
      reason: 'alga:extension/secrets is imported and needs secrets.get or secrets.list',
    });
    await expect(artifactOf({ extensionId: 'greedy' })).rejects.toMatchObject({ code: 'not_found' });
  });

  const components: [string, () => Promise<Uint8Array>, string][] = [
    ['bytes', async () => Buffer.from('not wasm'), 'is not WebAssembly'],
    ['a core module', async () => Buffer.from('0061736d01000000', 'hex'), 'is a core module'],
    ['a preamble and nothing', async () => Buffer.from('0061736d0d000100', 'hex'), ''],
    ['cut off', async () => component.subarray(0, 900), ''],
    [
      'without a handler',
      () => smallComponent(['secrets'], { handler: false }),
      'does not export a function named handler',
    ],
    [
      'in need of more WASI than there is',
      () =>
        smallComponent(['wasi:sockets/tcp@0.2.0'], {
          packages: 'package wasi:sockets@0.2.0 { interface tcp { connect: func() -> u64; } }',
        }),
      'imports wasi:sockets/tcp@0.2.0 (connect)',
    ],
    [
      'made for another major version',
      () => smallComponent(['secrets'], { wit: (platform) => platform.replace('@1.0.0;', '@2.0.0;') }),
      'imports alga:extension/types@2.0.0',
    ],
  ];
  it.each(components)('whose component is %s', async (_, make, reason) => {
    const answer = await refused(await bundle(manifestOf({ extensionId: 'broken' }), await make()));
    expect(answer).toMatchObject({ status: 422, code: 'component_invalid', field: 'component.wasm' });
    expect(answer.reason).toContain(reason);
  });

  it('never with a fault of ours, whatever a byte of it is changed to', async () => {
    const whole = await bundle(manifestOf({ extensionId: 'mutant' }));
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 20)) {
      const mutant = Buffer.from(whole);
      mutant[at] = (mutant[at] ?? 0) ^ 0x41;
      expect([200, 201, 409, 422]).toContain((await post(mutant)).status);
    }
  });
});

describe('a request is refused', () => {
  it.each([
    ['no key', '', 401, 'unauthenticated'],
    ['a key of another shape', 'short', 401, 'unauthenticated'],
    ['an unknown key', 'alga_nobody_knows_this_key', 401, 'unauthenticated'],
    ['a key without the scope', 'alga_invoking_for_acme', 403, 'forbidden'],
  ])('with %s', async (_, key, status, code) => {
    expect(await post(Buffer.from('x'), { key })).toMatchObject({ status, body: { code } });
  });

  it.each(['application/json', 'text/plain', 'application/octet-stream', 'application/zstd-evil'])(
    'with content type %s',
    async (type) => {
      expect(await post(Buffer.from('{}'), { type })).toMatchObject({
        status: 415,
        body: { code: 'unsupported_media_type' },
      });
    },
  );

  it('over the limit, which it names, before the body has arrived', async () => {
    const limit = 64 * 1024 * 1024;
    const answer = await new Promise<Answer>((done, fail) => {
      const request = httpRequest(`${origin}/v1/bundles`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${ACME}`,
          'content-type': 'application/zstd',
          'content-length': String(limit + 1),
        },
      });
      request.once('error', fail);
      request.once('response', (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => {
          done({ status: response.statusCode ?? 0, body: JSON.parse(text) });
          request.destroy();
        });
      });
      request.flushHeaders();
    });
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large', limit } });
  });
});

describe('uploads that hang', () => {
  it('are bounded in number, and each gives its place back when it goes', async () => {
    const upload = await bundle(manifestOf({ extensionId: 'patient' }));
    const hanging: ReturnType<typeof httpRequest>[] = [];
    let answer = await post(upload);
    while (answer.status < 300 && hanging.length < 16) {
      hanging.push(await hangingUpload());
      answer = await post(upload);
    }
    expect(answer).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    for (const request of hanging) request.destroy();
    expect(await waitUntil(async () => (await post(upload)).status < 300, { deadlineMs: 10_000 })).toBe(true);
  });
});

/** An upload that says it is large, and then sends nothing. */
function hangingUpload(): Promise<ReturnType<typeof httpRequest>> {
  return new Promise((sent) => {
    const request = httpRequest(`${origin}/v1/bundles`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${ACME}`, 'content-type': 'application/zstd', 'content-length': '1000000' },
    });
    request.on('error', () => undefined); // destroyed at the end of the test
    request.write('x', () => sent(request));
  });
}

describe('the catalogue', () => {
  it('lists extensions and their versions for any key, newest first, and nothing of where artifacts lie', async () => {
    for (const version of ['1.0.0', '1.1.0']) {
      expect((await post(await bundle(manifestOf({ extensionId: 'listed', version })))).status).toBe(201);
    }
    const { body: all } = await get('/v1/extensions', 'alga_invoking_for_acme');
    const listed = (all.extensions as { extensionId: string; latest: { version: string } }[]).find(
      ({ extensionId }) => extensionId === 'listed',
    );
    expect(listed?.latest.version).toBe('1.1.0');
    const { body } = await get('/v1/extensions/listed/versions', 'alga_invoking_for_acme');
    expect((body.versions as { version: string }[]).map(({ version }) => version)).toEqual(['1.1.0', '1.0.0']);
    const { object, signature } = await artifactOf({ extensionId: 'listed', version: '1.0.0' });
    expect(JSON.stringify([all, body])).not.toMatch(new RegExp(`${object}|${signature}|k-acme`));
  });

  it('refuses strangers, unknown extensions and what is not an id', async () => {
    expect((await get('/v1/extensions', 'alga_nobody_knows_this_key')).status).toBe(401);
    expect(await get('/v1/extensions/absent/versions')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await get('/v1/extensions/..%2F..%2Fetc/versions')).toMatchObject({ status: 400 });
    expect(await get('/v1/extensions?after=A%20B')).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'after' }] },
    });
    expect(await get('/v1/extensions?after=a&after=b')).toMatchObject({ status: 400 });
  });
});

describe('artifact.resolve', () => {
  it('answers not_found for what is not published', async () => {
    for (const request of [
      { contentHash: `sha256:${'0'.repeat(64)}` },
      { extensionId: 'absent' },
      { extensionId: 'happy', version: '9.9.9' },
    ]) {
      await expect(artifactOf(request)).rejects.toMatchObject({ code: 'not_found' });
    }
  });
});

describe('the process', () => {
  it('answers 503, not 401, while nobody can tell whose key it is', async () => {
    await peer.close();
    expect(await post(Buffer.from('x'))).toMatchObject({ status: 503, body: { code: 'unavailable' } });
  });

  it('is ready, logs no API key, and ends by itself on SIGTERM', async () => {
    expect((await fetch(`${origin}/readyz`)).status).toBe(200);
    registry.process.kill('SIGTERM');
    expect(await registry.process.exited).toEqual({ code: 0, signal: null });
    const log = await readFile(registry.process.logFile, 'utf8');
    for (const key of Object.keys(KEYS)) expect(log).not.toContain(key);
    expect(
      await waitUntil(async () => (await fetch(origin).catch(() => undefined)) === undefined, { deadlineMs: 5_000 }),
    ).toBe(true);
  });
});
