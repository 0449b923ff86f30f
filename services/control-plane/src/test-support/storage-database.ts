import { testDatabase } from '@alga/local-stack';
import { migrate, openPostgres } from '@alga/storage';
import { type Kysely, sql } from 'kysely';
import { MIGRATIONS } from '../adapters/migrations.ts';
import { PostgresDatabase } from '../adapters/postgres-database.ts';
import { insertInstall } from '../adapters/postgres-install-writes.ts';
import type { ControlPlaneTables } from '../adapters/postgres-schema.ts';
import { PostgresStorage } from '../adapters/postgres-storage.ts';
import { release } from '../core/test-support/installs.ts';
import type { StorageOwner } from '../ports/storage-store.ts';

/** Enough that several statements wait for each other at once. */
const CONNECTIONS = 8;

/** The storage of installs in a Postgres database of the spec's own. */
export class StorageDatabase {
  readonly pool: Kysely<ControlPlaneTables>;
  readonly storage: PostgresStorage;
  readonly #drop: () => Promise<void>;
  #installs = 0;

  private constructor(pool: Kysely<ControlPlaneTables>, drop: () => Promise<void>) {
    this.pool = pool;
    this.storage = new PostgresStorage(new PostgresDatabase(pool));
    this.#drop = drop;
  }

  static async create(): Promise<StorageDatabase> {
    const { url, drop } = await testDatabase();
    const pool = await openPostgres<ControlPlaneTables>({ url, maxConnections: CONNECTIONS, onError: () => undefined });
    await migrate(pool, MIGRATIONS);
    await pool.insertInto('tenants').values({ tenant_id: 'acme', display_name: 'Acme' }).execute();
    return new StorageDatabase(pool, drop);
  }

  /** A fresh install. */
  async newOwner(): Promise<StorageOwner> {
    this.#installs += 1;
    const installId = `inst-${this.#installs}`;
    const installed = release({ extensionId: `ext-${this.#installs}` });
    await insertInstall(this.pool, 'acme', {
      installId,
      release: installed,
      config: '{}',
      grants: { capabilities: [], egress: [] },
    });
    return { tenantId: 'acme', installId };
  }

  put(owner: StorageOwner, key: string, text: string, expectedRevision?: number, ttlSeconds?: number) {
    return this.storage.put(owner, { key, value: new TextEncoder().encode(text), expectedRevision, ttlSeconds });
  }

  async get(owner: StorageOwner, key: string): Promise<{ text: string; revision: number } | undefined> {
    const found = await this.storage.get(owner, key);
    return found && { text: Buffer.from(found.value).toString(), revision: found.revision };
  }

  /** Makes a value's time run out now, or in an hour, by the database's clock. */
  async setExpiry(owner: StorageOwner, key: string, at: 'now' | 'in an hour'): Promise<void> {
    await this.pool
      .updateTable('install_storage')
      .set({ expires_at: at === 'now' ? sql`now()` : sql`now() + interval '1 hour'` })
      .where('install_id', '=', owner.installId)
      .where('key', '=', key)
      .execute();
  }

  /** What the quota counts for the install, and what is there. */
  async usage(owner: StorageOwner) {
    const { rows } = await sql<{ keys: number; bytes: number; keysThere: number; bytesThere: number }>`
      select u.keys, u.bytes, count(s.key) as "keysThere", coalesce(sum(octet_length(s.value)), 0)::bigint as "bytesThere"
      from install_storage_usage u left join install_storage s using (install_id)
      where u.install_id = ${owner.installId} group by 1, 2`.execute(this.pool);
    const [row] = rows;
    return {
      counted: { keys: row?.keys, bytes: row?.bytes },
      there: { keys: row?.keysThere, bytes: row?.bytesThere },
    };
  }

  async stop(): Promise<void> {
    await this.pool.destroy();
    await this.#drop();
  }
}
