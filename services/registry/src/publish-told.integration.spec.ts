// What the registry tells about a publication: progress, receipts, and what of a bundle ends up in the artifact.
import { request as httpRequest } from 'node:http';
import { zstdCompressSync } from 'node:zlib';
import { unpackFiles, verifyArtifact } from '@alga/artifact';
import { type ApikeyVerifyReply, BUNDLE_BUCKET, CAPABILITIES, channels } from '@alga/contracts';
import { buildGuest, buildLegacy } from '@alga/fixtures';
import { waitUntil } from '@alga/local-stack';
import { openBlobStore } from '@alga/storage';
import { tarOf } from './test-support/archive.ts';
import { manifestOf } from './test-support/manifest.ts';
import { type RunningRegistry, startRegistry } from './test-support/running-registry.ts';
import { smallComponent } from './test-support/small-component.ts';

const ACME = 'alga_publisher_of_acme';
const KEYS: Readonly<Record<string, ApikeyVerifyReply>> = {
  [ACME]: { keyId: 'k-acme', tenantId: 'acme', scopes: ['publish'] },
};
const READ = { maxBytes: 64 * 1024 * 1024, deadlineMs: 5_000 };
const SOURCE_MAP = JSON.stringify({ version: 3, mappings: 'AAAA', sources: ['src/index.ts'] });
const STAGES = [
  ...['queue', 'archive', 'manifest', 'version', 'component'],
  ...['structure', 'imports', 'transpile', 'patch'],
  ...['capabilities', 'store'],
];

let registry: RunningRegistry;
let component: Uint8Array;
let legacy: Uint8Array;

beforeAll(async () => {
  [component, legacy] = await Promise.all([smallComponent(['context', 'secrets']), buildLegacy('assemblyscript')]);
  registry = await startRegistry(KEYS);
}, 180_000);

afterAll(() => registry?.stop(), 60_000);

type Parts = Readonly<Record<string, unknown>>;

async function bundle(manifest: Parts, files: Readonly<Record<string, Uint8Array | string>> = {}): Promise<Buffer> {
  return zstdCompressSync(
    await tarOf({ 'manifest.json': manifestOf(manifest), 'component.wasm': component, ...files }),
  );
}

const LEGACY = { runtime: 'legacy', capabilities: ['logging.write', 'http.fetch'] };
const legacyBundle = (parts: Parts, wasm = legacy) => bundle({ ...LEGACY, ...parts }, { 'component.wasm': wasm });
const post = (body: Uint8Array) => registry.post(body, { key: ACME });

/** The artifact as a runner gets it. */
async function artifactOf(extensionId: string) {
  const found = await registry.peer.request(channels.artifactResolve, { extensionId }, { deadlineMs: 5_000 });
  const store = await openBlobStore(registry.peer.connection, BUNDLE_BUCKET, { create: false });
  const files = unpackFiles((await store.get(found.object, READ)) ?? new Uint8Array());
  if (!files.ok) throw new Error(files.reason);
  const { signature, contentHash } = found;
  const verified = await verifyArtifact({
    signature,
    files: files.files,
    publicKeys: registry.publicKeys,
    contentHash,
  });
  if (!verified.ok) throw new Error(verified.reason);
  return verified.artifact;
}

describe('a receipt', () => {
  it('says what was made of a component, the second time too', async () => {
    const upload = await bundle({ extensionId: 'receipt' });
    const first = await post(upload);
    expect(first).toMatchObject({
      status: 201,
      body: { created: true, runtime: 'component', engine: 'native', pool: { reusable: true } },
    });
    const { min, max } = first.body.memoryPages as { min: number; max: number };
    expect(min).toBeLessThanOrEqual(max);
    expect(first.body).not.toHaveProperty('deprecated');
    const { checks: _, ...told } = first.body;
    expect(await post(upload)).toMatchObject({ status: 200, body: { ...told, created: false } });
  });
});

describe('a guest of each engine', () => {
  it.each(['starlingmonkey', 'quickjs', 'c'] as const)(
    'is published as what it is, and its instances may be used again: %s',
    async (kind) => {
      const guest = await buildGuest(kind);
      const extensionId = `made-with-${kind}`;
      const upload = await bundle(
        // What the manifest says of the engine is informative.
        { extensionId, engine: 'native', capabilities: CAPABILITIES },
        {
          'component.wasm': guest.component,
          ...(guest.sourceMap === undefined ? {} : { 'source.map': guest.sourceMap }),
        },
      );
      const { engine } = guest;
      expect(await post(upload)).toMatchObject({ status: 201, body: { engine, pool: { reusable: true } } });
      expect(await artifactOf(extensionId)).toMatchObject({ engine, sourceMap: guest.sourceMap ? 'source.map' : null });
    },
    120_000,
  );
});

describe('a legacy core module', () => {
  it('is published with a note that it is deprecated, as an artifact with our own glue', async () => {
    const published = await post(await legacyBundle({ extensionId: 'old' }));
    expect(published).toMatchObject({
      status: 201,
      body: {
        runtime: 'legacy',
        engine: 'legacy',
        imports: ['alga:extension/http', 'alga:extension/logging'],
        deprecated: expect.stringContaining('deprecated'),
      },
    });
    const { min, max } = published.body.memoryPages as { min: number; max: number };
    expect(min).toBeGreaterThan(0);
    expect(max).toBeLessThanOrEqual(4096);
    const { runtime, entry, modules, files } = await artifactOf('old');
    expect([runtime, entry, modules.map(({ name }) => name)]).toEqual([
      'legacy',
      'component.js',
      ['component.core.wasm'],
    ]);
    expect(new TextDecoder().decode(files.get(entry))).toContain('The glue of every legacy core module');
  });

  it('is refused where its manifest does not declare what it imports', async () => {
    const answer = await post(await legacyBundle({ extensionId: 'old-greedy', capabilities: ['logging.write'] }));
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'capability_undeclared',
        errors: [{ field: '/capabilities', reason: 'alga:extension/http is imported and needs http.fetch' }],
      },
    });
  });

  it('is refused where it is not one of the old ABI', async () => {
    const empty = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
    expect(await post(await legacyBundle({ extensionId: 'old-empty' }, empty))).toMatchObject({
      status: 422,
      body: { code: 'component_invalid', errors: [{ field: 'component.wasm' }] },
    });
  });

  it('is refused as a new version once the end that is set has come', async () => {
    const later = await startRegistry(KEYS, { LEGACY_UPLOADS_UNTIL: '2026-01-01T00:00:00Z' });
    try {
      const answer = await later.post(await legacyBundle({ extensionId: 'too-late' }), { key: ACME });
      expect(answer).toMatchObject({
        status: 422,
        body: { code: 'manifest_invalid', errors: [{ field: '/runtime' }] },
      });
    } finally {
      await later.stop();
    }
  }, 60_000);

  it('is not taken for a component, nor a component for it, and the fix is said', async () => {
    const module = await post(await bundle({ extensionId: 'confused' }, { 'component.wasm': legacy }));
    expect(module).toMatchObject({
      status: 422,
      body: { code: 'component_invalid', errors: [{ reason: expect.stringContaining('set "runtime" to "legacy"') }] },
    });
    expect(await post(await bundle({ extensionId: 'confused', ...LEGACY }))).toMatchObject({
      status: 422,
      body: {
        code: 'component_invalid',
        errors: [{ reason: expect.stringContaining('set "runtime" to "component"') }],
      },
    });
  });
});

describe('a source map', () => {
  it('is signed into the artifact, and part of what a version is', async () => {
    const upload = await bundle({ extensionId: 'mapped' }, { 'source.map': SOURCE_MAP });
    expect((await post(upload)).status).toBe(201);
    expect((await post(upload)).status).toBe(200);
    const { sourceMap, files } = await artifactOf('mapped');
    expect([sourceMap, Buffer.from(files.get('source.map') ?? '').toString()]).toEqual(['source.map', SOURCE_MAP]);

    const other = await bundle({ extensionId: 'mapped' }, { 'source.map': `${SOURCE_MAP} ` });
    for (const again of [other, await bundle({ extensionId: 'mapped' })]) {
      expect(await post(again)).toMatchObject({ status: 409, body: { code: 'version_exists' } });
    }
  });

  it('is absent from an artifact whose bundle has none', async () => {
    expect((await post(await bundle({ extensionId: 'unmapped' }))).status).toBe(201);
    expect(await artifactOf('unmapped')).toMatchObject({ sourceMap: null });
  });

  it.each([
    ['another JSON value', '[]', 'is not a JSON object'],
    ['without mappings', '{"version":3,"sources":[]}', 'has mappings that are not a string'],
    ['too large', SOURCE_MAP.padEnd(8 * 1024 * 1024 + 1), 'is over 8388608 bytes'],
  ])('is refused when it is %s', async (_, text, reason) => {
    expect(await post(await bundle({ extensionId: 'badly-mapped' }, { 'source.map': text }))).toMatchObject({
      status: 422,
      body: { code: 'bundle_invalid', errors: [{ field: 'source.map', reason }] },
    });
  });
});

describe('progress', () => {
  it('is a line when a stage begins, one when it has passed, and the receipt', async () => {
    const { type, lines } = await registry.postForProgress(await bundle({ extensionId: 'watched' }), ACME);
    expect(type).toContain('application/x-ndjson');
    const ms = expect.any(Number);
    expect(lines.slice(0, -1)).toEqual(
      STAGES.flatMap((stage) => [
        { stage, state: 'begun' },
        { stage, state: 'passed', ms },
      ]),
    );
    expect(lines.at(-1)).toEqual({ result: expect.objectContaining({ extensionId: 'watched', created: true }) });
  });

  it('ends with the problem, after the last stage that began', async () => {
    const upload = await bundle({ extensionId: 'watched-greedy', capabilities: [] });
    const { lines } = await registry.postForProgress(upload, ACME);
    expect(lines.slice(-2)).toEqual([
      { stage: 'capabilities', state: 'begun' },
      {
        problem: expect.objectContaining({
          status: 422,
          code: 'capability_undeclared',
          requestId: expect.any(String),
          errors: expect.arrayContaining([expect.objectContaining({ field: '/capabilities' })]),
        }),
      },
    ]);
  });

  it('is nothing but a problem document for whoever may not publish', async () => {
    const { type, lines } = await registry.postForProgress(Buffer.from('x'), 'alga_nobody_knows_this_key');
    expect([type, lines]).toMatchObject([
      expect.stringContaining('application/problem+json'),
      [{ code: 'unauthenticated' }],
    ]);
  });

  it('that nobody reads any more stops neither the publication nor the registry', async () => {
    const upload = await bundle({ extensionId: 'unwatched' });
    await leaveAfterFirstLine(upload);
    const published = async () => (await registry.get('/v1/extensions/unwatched/versions', ACME)).status === 200;
    expect(await waitUntil(published, { deadlineMs: 20_000 })).toBe(true);
    expect((await post(upload)).status).toBe(200);
  });
});

function leaveAfterFirstLine(upload: Uint8Array): Promise<void> {
  return new Promise((left, fail) => {
    const request = httpRequest(`${registry.origin}/v1/bundles`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ACME}`,
        'content-type': 'application/zstd',
        accept: 'application/x-ndjson',
      },
    });
    request.once('error', fail);
    request.once('response', (response) => {
      response.once('data', () => {
        request.destroy();
        left();
      });
      response.on('error', () => undefined); // destroyed by us
    });
    request.end(upload);
  });
}
