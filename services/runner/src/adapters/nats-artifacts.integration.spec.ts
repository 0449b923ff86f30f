import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packFiles, signArtifact } from '@alga/artifact';
import { Bus, createLogger, KnownSecrets } from '@alga/chassis';
import { AlgaError, BUNDLE_BUCKET, channels, type Manifest, type ServiceName } from '@alga/contracts';
import { type RunningServer, startNats, waitUntil } from '@alga/local-stack';
import { type BlobStore, openBlobStore } from '@alga/storage';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { FolderArtifactCache } from './folder-artifact-cache.ts';
import { createArtifactFetch } from './nats-artifacts.ts';

const MANIFEST: Manifest = {
  manifestVersion: 1,
  extensionId: 'fixture',
  version: '1.0.0',
  title: 'Fixture',
  runtime: 'component',
  component: 'component.wasm',
  capabilities: [],
};
const HASH_A = `sha256:${'a'.repeat(64)}`;
const HASH_B = `sha256:${'b'.repeat(64)}`;

let nats: RunningServer;
let registry: Bus;
let runner: Bus;
let blobs: BlobStore;
let privateJwk: JWK;
let publicJwk: JWK;
const published = new Map<string, { object: string; signature: string }>();

let folder: string;
let resolved: string[] = [];
let rejected: string[] = [];

beforeAll(async () => {
  const pair = await generateKeyPair('Ed25519', { extractable: true });
  privateJwk = { ...(await exportJWK(pair.privateKey)), kid: 'registry-1' };
  publicJwk = { ...(await exportJWK(pair.publicKey)), kid: 'registry-1' };
  nats = await startNats();
  registry = await busOf('registry');
  runner = await busOf('runner');
  blobs = await openBlobStore(registry.connection, BUNDLE_BUCKET, { create: true });
  registry.serve(channels.artifactResolve, async (request) => {
    const contentHash = 'contentHash' in request ? request.contentHash : '';
    resolved.push(contentHash);
    const artifact = published.get(contentHash);
    if (artifact === undefined) throw new AlgaError('not_found');
    return { extensionId: 'fixture', version: '1.0.0', contentHash, manifest: MANIFEST, ...artifact };
  });
  await publish(HASH_A, 'the glue of a');
  await publish(HASH_B, 'the glue of b');
}, 60_000);

afterAll(async () => {
  await Promise.all([registry.close(), runner.close()]);
  await nats.stop();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alga-cache-'));
  resolved = [];
  rejected = [];
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function busOf(service: ServiceName): Promise<Bus> {
  const logger = createLogger({ service, instance: 'spec', level: 'fatal', knownSecrets: new KnownSecrets() });
  return Bus.connect({ url: nats.url, service, logger });
}

/** What the registry states about the files of a component. */
const TRAITS = {
  runtime: 'component',
  engine: 'quickjs',
  entry: 'component.js',
  modules: [{ name: 'component.core.wasm', memory: { minPages: 1, maxPages: 2 } }],
  pool: { reusable: false, reason: 'its code contains table.set, whose effect cannot be undone' },
  sourceMap: 'source.map',
} as const;

async function publish(contentHash: string, glue: string): Promise<void> {
  const files = new Map([
    ['component.js', Buffer.from(glue)],
    ['component.core.wasm', Buffer.from('code')],
    ['source.map', Buffer.from('{}')],
  ]);
  const meta = { ...TRAITS, contentHash, imports: [], createdAt: new Date() };
  const { signature } = await signArtifact(files, meta, privateJwk);
  const object = contentHash.slice('sha256:'.length);
  await blobs.put(object, packFiles(files));
  published.set(contentHash, { object, signature });
}

/** A runner's way to artifacts, as a new process has it: with the disk and nothing in memory. */
async function fetching({ bus = runner as Pick<Bus, 'request'>, publicKeys = [publicJwk] } = {}) {
  return createArtifactFetch({
    bus,
    blobs: await openBlobStore(runner.connection, BUNDLE_BUCKET, { create: false }),
    cache: new FolderArtifactCache({
      folder,
      maxBytes: 1_000_000,
      nowMs: () => Date.now(),
      onFault: (e) => {
        throw e;
      },
    }),
    publicKeys,
    onRejected: (contentHash, reason) => rejected.push(`${contentHash.slice(7, 8)}: ${reason}`),
  });
}

const fileOf = (contentHash: string): string => join(folder, `${contentHash.slice('sha256:'.length)}.artifact`);
const glueOf = ({ files }: { files: ReadonlyMap<string, Uint8Array> }): string =>
  Buffer.from(files.get('component.js') ?? []).toString();

async function cached(contentHash: string): Promise<void> {
  const file = fileOf(contentHash).slice(folder.length + 1);
  expect(await waitUntil(async () => (await readdir(folder)).includes(file), { deadlineMs: 10_000 })).toBe(true);
}

describe('an artifact', () => {
  it('that was fetched once is had again without the bus, with all that was signed', async () => {
    const first = await (await fetching())(HASH_A);
    await cached(HASH_A);
    resolved = [];
    const silent = { request: () => Promise.reject(new Error('the bus is not to be asked')) };
    const again = await (await fetching({ bus: silent }))(HASH_A);
    expect(glueOf(again)).toBe('the glue of a');
    expect(again).toEqual(first);
    expect(first).toMatchObject({ contentHash: HASH_A, ...TRAITS });
    expect([resolved, rejected]).toEqual([[], []]);
  });

  it('that the registry does not know is refused, and nothing is kept', async () => {
    await expect((await fetching())(`sha256:${'c'.repeat(64)}`)).rejects.toMatchObject({ code: 'artifact_rejected' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('that does not verify is refused, and nothing is kept', async () => {
    const other = { ...publicJwk, kid: 'registry-2' };
    await expect((await fetching({ publicKeys: [other] }))(HASH_A)).rejects.toMatchObject({
      code: 'artifact_rejected',
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('I9: what is on the disk', () => {
  it.each<[string, () => Promise<void>, string]>([
    [
      'any one byte changed',
      async () => {
        const bytes = await readFile(fileOf(HASH_A));
        bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
        await writeFile(fileOf(HASH_A), bytes);
      },
      'a: on disk: a file is not the signed one',
    ],
    [
      'its blob cut short',
      async () => writeFile(fileOf(HASH_A), (await readFile(fileOf(HASH_A))).subarray(0, -1)),
      'a: on disk: truncated',
    ],
    [
      'another artifact, honestly signed, in its place',
      async () => writeFile(fileOf(HASH_A), await readFile(fileOf(HASH_B))),
      'a: on disk: the artifact is of another component',
    ],
    [
      'the signature of another artifact',
      async () => {
        const [a, b] = [published.get(HASH_A)?.signature ?? '', published.get(HASH_B)?.signature ?? ''];
        const bytes = (await readFile(fileOf(HASH_A))).toString('latin1');
        await writeFile(fileOf(HASH_A), bytes.replace(a, b), 'latin1');
      },
      'a: on disk: the artifact is of another component',
    ],
  ])('is not believed: with %s it is removed, fetched anew and told', async (_kind, tamper, told) => {
    const fetch = await fetching();
    await fetch(HASH_A);
    await fetch(HASH_B);
    await Promise.all([cached(HASH_A), cached(HASH_B)]);
    await tamper();
    resolved = [];
    expect(glueOf(await (await fetching())(HASH_A))).toBe('the glue of a');
    expect(resolved).toEqual([HASH_A]);
    expect(rejected).toEqual([told]);
    await cached(HASH_A);
    resolved = [];
    expect(glueOf(await (await fetching())(HASH_A))).toBe('the glue of a');
    expect(resolved).toEqual([]);
  });

  it('is not run with a key that is no longer trusted', async () => {
    await (await fetching())(HASH_A);
    await cached(HASH_A);
    const next = { ...publicJwk, kid: 'registry-2' };
    await expect((await fetching({ publicKeys: [next] }))(HASH_A)).rejects.toMatchObject({ code: 'artifact_rejected' });
    expect(await readdir(folder)).toEqual([]);
  });
});
