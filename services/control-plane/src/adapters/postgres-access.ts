import type { Logger } from '@alga/chassis';
import { sql } from 'kysely';
import { displayPrefix, hashApiKey, type IssuedKey, type Principal, type Scope } from '../core/api-key.ts';
import type { AccessStore, ApiKeyRecord, Tenant } from '../ports/access-store.ts';
import { type PostgresDatabase, violatedConstraint } from './postgres-database.ts';

const OPERATOR_KEY_ID = 'operator';
const OPERATOR_SCOPES = ['operator', 'publish', 'admin'] as const satisfies readonly Scope[];

export class PostgresAccess implements AccessStore {
  readonly #database: PostgresDatabase;
  readonly #logger: Logger;

  constructor(database: PostgresDatabase, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  async verify(keySha256: string): Promise<Principal | undefined> {
    const row = await this.#database.run((db) =>
      db
        .selectFrom('api_keys')
        .select(['key_id', 'tenant_id', 'scopes'])
        .select(sql<boolean>`coalesce(last_used_at < now() - interval '1 minute', true)`.as('worth_noting'))
        .where('key_sha256', '=', keySha256)
        .where('revoked_at', 'is', null)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<Date>`now()`)]))
        .executeTakeFirst(),
    );
    if (row === undefined) return undefined;
    if (row.worth_noting) await this.#noteUse(row.key_id);
    return {
      keyId: row.key_id,
      ...(row.tenant_id === null ? {} : { tenantId: row.tenant_id }),
      scopes: row.scopes as Scope[],
    };
  }

  /** At most once a minute per key: every call of every extension comes by here. */
  async #noteUse(keyId: string): Promise<void> {
    try {
      await this.#database.run((db) =>
        db
          .updateTable('api_keys')
          .set({ last_used_at: sql`now()` })
          .where('key_id', '=', keyId)
          .where(sql<boolean>`coalesce(last_used_at < now() - interval '1 minute', true)`)
          .execute(),
      );
    } catch (err) {
      // A database that only reads can still say who somebody is.
      this.#logger.warn({ err, keyId }, 'last use of an API key not noted');
    }
  }

  async putTenant(tenantId: string, displayName: string): Promise<{ tenant: Tenant; created: boolean }> {
    const row = await this.#database.run((db) =>
      db
        .insertInto('tenants')
        .values({ tenant_id: tenantId, display_name: displayName })
        .onConflict((conflict) =>
          conflict.column('tenant_id').doUpdateSet({ display_name: displayName, updated_at: sql`now()` }),
        )
        .returning(['tenant_id', 'display_name', 'created_at'])
        .returning(sql<boolean>`xmax = 0`.as('created')) // 0: no earlier version of the row
        .executeTakeFirstOrThrow(),
    );
    const tenant = { tenantId: row.tenant_id, displayName: row.display_name, createdAt: row.created_at };
    return { tenant, created: row.created };
  }

  async hasTenant(tenantId: string): Promise<boolean> {
    const row = await this.#database.run((db) =>
      db.selectFrom('tenants').select('tenant_id').where('tenant_id', '=', tenantId).executeTakeFirst(),
    );
    return row !== undefined;
  }

  async addKey(tenantId: string, name: string, scopes: readonly Scope[], issued: IssuedKey): Promise<boolean> {
    try {
      await this.#database.run((db) =>
        db
          .insertInto('api_keys')
          .values({
            key_id: issued.keyId,
            key_sha256: hashApiKey(issued.key),
            display_prefix: displayPrefix(issued.key),
            name,
            tenant_id: tenantId,
            scopes: [...scopes],
            expires_at: issued.expiresAt ?? null,
          })
          .execute(),
      );
      return true;
    } catch (error) {
      if (violatedConstraint(error) === 'api_keys_tenant_id_fkey') return false;
      throw error;
    }
  }

  async listKeys(tenantId: string): Promise<readonly ApiKeyRecord[]> {
    const rows = await this.#database.run((db) =>
      db
        .selectFrom('api_keys')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .orderBy('created_at')
        .orderBy('key_id')
        .execute(),
    );
    return rows.map((row) => ({
      keyId: row.key_id,
      name: row.name,
      prefix: row.display_prefix,
      scopes: row.scopes as Scope[],
      createdAt: row.created_at,
      expiresAt: row.expires_at ?? undefined,
      revokedAt: row.revoked_at ?? undefined,
      lastUsedAt: row.last_used_at ?? undefined,
    }));
  }

  async revokeKey(tenantId: string, keyId: string): Promise<boolean> {
    const row = await this.#database.run((db) =>
      db
        .updateTable('api_keys')
        .set({ revoked_at: sql`coalesce(revoked_at, now())` })
        .where('key_id', '=', keyId)
        .where('tenant_id', '=', tenantId)
        .returning('key_id')
        .executeTakeFirst(),
    );
    return row !== undefined;
  }

  async putOperatorKey(key: string): Promise<void> {
    const columns = {
      key_sha256: hashApiKey(key),
      display_prefix: displayPrefix(key),
      revoked_at: null,
      expires_at: null,
    };
    await this.#database.run((db) =>
      db
        .insertInto('api_keys')
        .values({
          key_id: OPERATOR_KEY_ID,
          name: 'operator key file',
          tenant_id: null,
          scopes: [...OPERATOR_SCOPES],
          ...columns,
        })
        .onConflict((conflict) => conflict.column('key_id').doUpdateSet(columns))
        .execute(),
    );
  }
}
