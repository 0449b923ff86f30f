import { parseManifest } from '@alga/contracts';
import { type TestDatabase, testDatabase } from '@alga/local-stack';
import { migrate, openPostgres } from '@alga/storage';
import { type Kysely, sql } from 'kysely';
import type { Build, Version } from '../core/version.ts';
import { manifestOf } from '../test-support/manifest.ts';
import { MIGRATIONS, type RegistryDatabase } from './postgres-schema.ts';
import { PostgresVersionStore } from './postgres-version-store.ts';

let database: TestDatabase;
let db: Kysely<RegistryDatabase>;
let store: PostgresVersionStore;

beforeAll(async () => {
  database = await testDatabase();
  db = await openPostgres<RegistryDatabase>({ url: database.url, maxConnections: 4, onError: () => {} });
  await Promise.all([migrate(db, MIGRATIONS), migrate(db, MIGRATIONS)]);
  store = new PostgresVersionStore(db);
}, 120_000);

afterAll(async () => {
  await db?.destroy();
  await database?.drop();
}, 60_000);

const BUILD: Build = {
  runtime: 'component',
  engine: 'quickjs',
  modules: [
    { name: 'component.core.wasm', memory: { minPages: 1, maxPages: 4096 } },
    { name: 'component.core2.wasm', memory: null },
  ],
  pool: { reusable: false, reason: 'it says "no"' },
};

function versionOf(extensionId: string, version = '1.0.0', contentHash = `sha256:${'a'.repeat(64)}`): Version {
  const parsed = parseManifest(JSON.parse(manifestOf({ extensionId, version })));
  if (!parsed.ok) throw new Error('the manifest of the spec is not valid');
  return {
    extensionId,
    version,
    contentHash,
    manifest: parsed.manifest,
    manifestSha256: 'b'.repeat(64),
    sourceMapSha256: undefined,
    build: BUILD,
    imports: ['alga:extension/types@1.0.0', 'with,comma', 'with"quote'],
    object: 'c'.repeat(64),
    signature: 'header.payload.signature',
    componentBytes: 12,
    artifactBytes: 34,
    publishedBy: 'key-1',
    publishedAt: new Date(1_700_000_000_000),
  };
}

describe('the store of versions', () => {
  it('gives back a version as it was added', async () => {
    const version = versionOf('round-trip');
    expect(await store.add(version, 'acme')).toBe('added');
    expect(await store.byVersion('round-trip', '1.0.0')).toEqual(version);
    expect(await store.standing('round-trip', '1.0.0')).toEqual({ exists: true, owner: 'acme', published: version });
  });

  it('keeps the hash of a source map, and knows nothing of a build that was not kept', async () => {
    const version = { ...versionOf('mapped'), sourceMapSha256: 'e'.repeat(64), build: undefined };
    await store.add(version, 'acme');
    expect(await store.byVersion('mapped', '1.0.0')).toEqual(version);
    const repaired = { ...version, object: 'f'.repeat(64), signature: 'a.b.c', artifactBytes: 56, build: BUILD };
    await store.repair(repaired);
    expect(await store.byVersion('mapped', '1.0.0')).toEqual(repaired);
  });

  it('adds a version once, whoever is first of several at the same moment', async () => {
    const outcomes = await Promise.all([1, 2, 3].map(() => store.add(versionOf('racing'), 'acme')));
    expect(outcomes.sort()).toEqual(['added', 'exists', 'exists']);
  });

  it('gives an extension to one of two tenants that claim it at the same moment', async () => {
    const outcomes = await Promise.all([
      store.add(versionOf('claimed', '1.0.0'), 'acme'),
      store.add(versionOf('claimed', '2.0.0'), 'globex'),
    ]);
    expect(outcomes.sort()).toEqual(['added', 'other_owner']);
    expect(await store.versions('claimed', 10)).toHaveLength(1);
  });

  it('knows the latest by the order of publication, not by the number', async () => {
    for (const version of ['2.0.0', '1.9.0']) await store.add(versionOf('ordered', version), undefined);
    expect((await store.latest('ordered'))?.version).toBe('1.9.0');
    expect((await store.versions('ordered', 10)).map(({ version }) => version)).toEqual(['1.9.0', '2.0.0']);
  });

  it('finds the newest version with a component', async () => {
    const contentHash = `sha256:${'d'.repeat(64)}`;
    for (const version of ['1.0.0', '1.0.1']) await store.add(versionOf('shared', version, contentHash), undefined);
    expect((await store.byContentHash(contentHash))?.version).toBe('1.0.1');
  });

  it('lists extensions page by page, each with its latest version', async () => {
    for (const id of ['page-a', 'page-b', 'page-c']) await store.add(versionOf(id), undefined);
    const page = await store.extensions('page-a', 2);
    expect(page.map(({ extensionId }) => extensionId)).toEqual(['page-b', 'page-c']);
  });

  it('reports a database that is gone as unavailable', async () => {
    const gone = await openPostgres<RegistryDatabase>({ url: database.url, maxConnections: 1, onError: () => {} });
    await gone.executeQuery(sql`select 1`.compile(gone));
    await gone.destroy();
    await expect(new PostgresVersionStore(gone).latest('any')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
