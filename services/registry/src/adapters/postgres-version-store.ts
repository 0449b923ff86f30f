import { AlgaError, type ResolvedManifest } from '@alga/contracts';
import type { Kysely, Selectable } from 'kysely';
import type { Version } from '../core/version.ts';
import type { ExtensionSummary, Standing, VersionStore } from '../ports/version-store.ts';
import type { RegistryDatabase } from './postgres-schema.ts';

type Database = Kysely<RegistryDatabase>;

/** SQLSTATE classes that mean a mistake in our own statement; everything else is the server's or the network's trouble. */
const OWN_MISTAKE = /^(?:22|23|42)/;

export class PostgresVersionStore implements VersionStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  standing(extensionId: string, version: string): Promise<Standing> {
    return reaching(async () => {
      const extension = await this.#db
        .selectFrom('extensions')
        .select('owner_tenant_id')
        .where('extension_id', '=', extensionId)
        .executeTakeFirst();
      return {
        exists: extension !== undefined,
        owner: extension?.owner_tenant_id ?? undefined,
        published: await this.#one(extensionId, version),
      };
    });
  }

  add(version: Version, owner: string | undefined): Promise<'added' | 'exists' | 'other_owner'> {
    return reaching(() =>
      this.#db.transaction().execute(async (transaction) => {
        const { extensionId } = version;
        await transaction
          .insertInto('extensions')
          .values({ extension_id: extensionId, owner_tenant_id: owner ?? null })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const extension = await transaction
          .selectFrom('extensions')
          .select('owner_tenant_id')
          .where('extension_id', '=', extensionId)
          .executeTakeFirstOrThrow();
        if ((extension.owner_tenant_id ?? undefined) !== owner) return 'other_owner';
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('versions')
          .values(toRow(version))
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirstOrThrow();
        return numInsertedOrUpdatedRows === 1n ? 'added' : 'exists';
      }),
    );
  }

  async repair(version: Version): Promise<void> {
    await reaching(() =>
      this.#db
        .updateTable('versions')
        .set({
          object: version.object,
          signature: version.signature,
          artifact_bytes: version.artifactBytes,
          ...(version.build === undefined ? {} : { build: JSON.stringify(version.build) }),
        })
        .where('extension_id', '=', version.extensionId)
        .where('version', '=', version.version)
        .where('content_hash', '=', version.contentHash)
        .execute(),
    );
  }

  byContentHash(contentHash: string): Promise<Version | undefined> {
    return reaching(async () =>
      fromRow(await this.#newest().where('content_hash', '=', contentHash).limit(1).executeTakeFirst()),
    );
  }

  byVersion(extensionId: string, version: string): Promise<Version | undefined> {
    return reaching(() => this.#one(extensionId, version));
  }

  latest(extensionId: string): Promise<Version | undefined> {
    return reaching(async () =>
      fromRow(await this.#newest().where('extension_id', '=', extensionId).limit(1).executeTakeFirst()),
    );
  }

  extensions(after: string, limit: number): Promise<readonly ExtensionSummary[]> {
    return reaching(async () => {
      const rows = await this.#db
        .selectFrom('versions')
        .selectAll()
        .distinctOn('extension_id')
        .where('extension_id', '>', after)
        .orderBy('extension_id')
        .orderBy('sequence', 'desc')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ extensionId: row.extension_id, latest: fromRow(row) }));
    });
  }

  versions(extensionId: string, limit: number): Promise<readonly Version[]> {
    return reaching(async () => {
      const rows = await this.#newest().where('extension_id', '=', extensionId).limit(limit).execute();
      return rows.map((row) => fromRow(row));
    });
  }

  #newest() {
    return this.#db.selectFrom('versions').selectAll().orderBy('sequence', 'desc');
  }

  async #one(extensionId: string, version: string): Promise<Version | undefined> {
    const row = await this.#newest()
      .where('extension_id', '=', extensionId)
      .where('version', '=', version)
      .executeTakeFirst();
    return fromRow(row);
  }
}

type VersionRow = Selectable<RegistryDatabase['versions']>;

function fromRow(row: VersionRow): Version;
function fromRow(row: VersionRow | undefined): Version | undefined;
function fromRow(row: VersionRow | undefined): Version | undefined {
  if (row === undefined) return undefined;
  return {
    extensionId: row.extension_id,
    version: row.version,
    contentHash: row.content_hash,
    manifest: row.manifest as ResolvedManifest, // written resolved, by toRow
    manifestSha256: row.manifest_sha256,
    sourceMapSha256: row.source_map_sha256 ?? undefined,
    build: row.build ?? undefined,
    imports: row.imports,
    object: row.object,
    signature: row.signature,
    componentBytes: row.component_bytes,
    artifactBytes: row.artifact_bytes,
    publishedBy: row.published_by,
    publishedAt: row.published_at,
  };
}

const toRow = (version: Version) => ({
  extension_id: version.extensionId,
  version: version.version,
  content_hash: version.contentHash,
  manifest: JSON.stringify(version.manifest),
  manifest_sha256: version.manifestSha256,
  source_map_sha256: version.sourceMapSha256 ?? null,
  build: version.build === undefined ? null : JSON.stringify(version.build),
  imports: [...version.imports],
  object: version.object,
  signature: version.signature,
  component_bytes: version.componentBytes,
  artifact_bytes: version.artifactBytes,
  published_by: version.publishedBy,
  published_at: version.publishedAt,
});

async function reaching<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (cause instanceof AlgaError || (typeof code === 'string' && OWN_MISTAKE.test(code))) throw cause;
    throw new AlgaError('unavailable', 'The database of published versions cannot be reached.', { cause });
  }
}
