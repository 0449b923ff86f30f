import type { Manifest } from '@alga/contracts';
import { type ColumnType, type Generated, type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Build } from '../core/version.ts';

interface ExtensionsTable {
  extension_id: string;
  /** Null: the platform's own. */
  owner_tenant_id: string | null;
  created_at: Generated<Date>;
}

interface VersionsTable {
  extension_id: string;
  version: string;
  /** Order of publication across all extensions. */
  sequence: Generated<number>;
  content_hash: string;
  manifest: ColumnType<Manifest, string, never>;
  manifest_sha256: string;
  source_map_sha256: string | null;
  /** Null: published before this column was there. */
  build: ColumnType<Build | null, string | null, string>;
  imports: string[];
  object: string;
  signature: string;
  component_bytes: number;
  artifact_bytes: number;
  published_by: string;
  published_at: Date;
}

export interface RegistryDatabase {
  extensions: ExtensionsTable;
  versions: VersionsTable;
}

/** In the order of their names. A migration that has run anywhere is never edited. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-extensions-and-versions': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('extensions')
        .addColumn('extension_id', 'text', (column) => column.primaryKey())
        .addColumn('owner_tenant_id', 'text')
        .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
        .execute();
      await db.schema
        .createTable('versions')
        .addColumn('extension_id', 'text', (column) => column.notNull().references('extensions.extension_id'))
        .addColumn('version', 'text', (column) => column.notNull())
        .addColumn('sequence', 'bigint', (column) => column.notNull().unique().generatedAlwaysAsIdentity())
        .addColumn('content_hash', 'text', (column) => column.notNull())
        .addColumn('manifest', 'jsonb', (column) => column.notNull())
        .addColumn('manifest_sha256', 'text', (column) => column.notNull())
        .addColumn('imports', sql`text[]`, (column) => column.notNull())
        .addColumn('object', 'text', (column) => column.notNull())
        .addColumn('signature', 'text', (column) => column.notNull())
        .addColumn('component_bytes', 'bigint', (column) => column.notNull())
        .addColumn('artifact_bytes', 'bigint', (column) => column.notNull())
        .addColumn('published_by', 'text', (column) => column.notNull())
        .addColumn('published_at', 'timestamptz', (column) => column.notNull())
        .addPrimaryKeyConstraint('versions_pkey', ['extension_id', 'version'])
        .execute();
      await db.schema.createIndex('versions_by_content').on('versions').columns(['content_hash', 'sequence']).execute();
      await db.schema.createIndex('versions_by_age').on('versions').columns(['extension_id', 'sequence']).execute();
    },
  },
  '0002-build-and-source-map': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable('versions')
        .addColumn('source_map_sha256', 'text')
        .addColumn('build', 'jsonb')
        .execute();
    },
  },
};
