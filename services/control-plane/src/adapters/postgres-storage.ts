import { AlgaError } from '@alga/contracts';
import { type RawBuilder, sql } from 'kysely';
import {
  MAX_BYTES_PER_INSTALL,
  MAX_KEYS_PER_INSTALL,
  MAX_PAGE_BYTES,
  MAX_VALUE_BYTES,
} from '../core/storage-limits.ts';
import type { StorageOwner, StoragePage, StoragePut, StorageStore, StoredValue } from '../ports/storage-store.ts';
import { QUOTA_CHECKS } from './migrations.ts';
import { type PostgresDatabase, violatedConstraint } from './postgres-database.ts';

/** Expired rows removed at once: a bound on how long their locks are held. */
const SWEEP_ROWS = 500;

type Status = 'active' | 'suspended' | 'uninstalled';

interface ValueRow {
  readonly key: string;
  readonly value: Buffer;
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly expires_ms: number | null;
}

const LIVE = sql`(s.expires_at is null or s.expires_at > now())`;
const EXPIRES_MS = sql`floor(extract(epoch from s.expires_at) * 1000)::bigint as expires_ms`;

/**
 * Each operation is one statement that also reads the install's status, so that an envelope which outlives a suspension
 * writes nothing. Whether a value has expired, only the database's clock says.
 */
export class PostgresStorage implements StorageStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async get(owner: StorageOwner, key: string): Promise<StoredValue | undefined> {
    const row = await this.#one<Partial<ValueRow> & { status: Status }>(sql`
      select i.status, s.key, s.value, s.revision, ${EXPIRES_MS}
      from ${install(owner)} i left join install_storage s on s.install_id = i.install_id and s.key = ${key} and ${LIVE}`);
    assertActive(row);
    return row.key == null ? undefined : toValue(row as ValueRow);
  }

  async put(
    owner: StorageOwner,
    entry: StoragePut,
  ): Promise<{ outcome: 'stored'; revision: number } | { outcome: 'conflict' }> {
    if (entry.value.byteLength > MAX_VALUE_BYTES)
      throw tooLarge(`A value may have ${MAX_VALUE_BYTES} bytes.`, MAX_VALUE_BYTES);
    const quotaError = await this.#tryPut(owner, entry);
    if (!(quotaError instanceof AlgaError)) return quotaError;
    // What has expired does not count, but takes room until it is removed.
    if ((await this.sweep(owner.installId)) === 0) throw quotaError;
    const again = await this.#tryPut(owner, entry);
    if (again instanceof AlgaError) throw again;
    return again;
  }

  async delete(
    owner: StorageOwner,
    key: string,
    expected: number | undefined,
  ): Promise<'deleted' | 'missing' | 'conflict'> {
    const matches = expected === undefined ? sql`true` : sql`(s.revision = ${expected} or not ${LIVE})`;
    const row = await this.#one<{ status: Status; live: number | null; removed: boolean }>(sql`
      with owner as (select * from ${install(owner)} i),
      present as (
        select s.revision from install_storage s join owner using (install_id) where s.key = ${key} and ${LIVE}
      ),
      removed as (
        delete from install_storage s using owner o
        where s.install_id = o.install_id and o.status = 'active' and s.key = ${key} and ${matches} returning 1
      )
      select o.status, (select revision from present) as live, exists (select from removed) as removed
      from owner o`);
    assertActive(row);
    if (row.live === null) return 'missing';
    if (row.removed) return 'deleted';
    if (expected === undefined) return 'missing'; // only a faster delete can have been in the way
    if (row.live !== expected) return 'conflict';
    // It was there when this began and then a faster write or delete had it: which of them, a second look tells. There is no third,
    // since a revision never comes back.
    return this.delete(owner, key, expected);
  }

  async list(
    owner: StorageOwner,
    { prefix, after, limit }: { prefix: string; after: string | undefined; limit: number },
  ): Promise<StoragePage> {
    // One key more than asked for tells whether a page follows; sizes are summed before any value is read.
    const { rows } = await this.#database.run((db) =>
      sql<Partial<ValueRow> & { status: Status; found: number }>`
        with owner as (select * from ${install(owner)} i),
        page as (
          select s.key, row_number() over by_key as nth, sum(octet_length(s.value)) over by_key as total
          from install_storage s join owner using (install_id)
          where s.key >= ${prefix} and starts_with(s.key, ${prefix}) and s.key > ${after ?? ''} and ${LIVE}
          window by_key as (order by s.key) order by s.key limit ${limit + 1}
        )
        select o.status, (select count(*) from page) as found, s.key, s.value, s.revision, ${EXPIRES_MS}
        from owner o
        left join page p on p.nth <= ${limit} and (p.nth = 1 or p.total <= ${MAX_PAGE_BYTES})
        left join install_storage s on s.install_id = o.install_id and s.key = p.key
        order by s.key`.execute(db),
    );
    const [first] = rows;
    assertActive(first);
    const entries = rows.flatMap((row) => (row.key == null ? [] : [toValue(row as ValueRow)]));
    return { entries, nextCursor: first.found > entries.length ? entries.at(-1)?.key : undefined };
  }

  /** Removes expired values, of one install or of all, a bounded number. Resolves to how many. */
  async sweep(installId?: string): Promise<number> {
    const ofInstall = installId === undefined ? sql`` : sql`and install_id = ${installId}`;
    const result = await this.#database.run((db) =>
      // What a writer holds right now is skipped: it is not expired much longer, or comes next time.
      sql`delete from install_storage where (install_id, key) in (
        select install_id, key from install_storage where expires_at <= now() ${ofInstall}
        limit ${SWEEP_ROWS} for update skip locked)`.execute(db),
    );
    return Number(result.numAffectedRows ?? 0);
  }

  /** The error when a quota refuses the row. */
  async #tryPut(
    owner: StorageOwner,
    entry: StoragePut,
  ): Promise<{ outcome: 'stored'; revision: number } | { outcome: 'conflict' } | AlgaError> {
    try {
      const row = await this.#one<{ status: Status; revision: number | null }>(putStatement(owner, entry));
      assertActive(row);
      return row.revision === null ? { outcome: 'conflict' } : { outcome: 'stored', revision: row.revision };
    } catch (error) {
      const constraint = violatedConstraint(error);
      if (constraint === QUOTA_CHECKS.keys) {
        return tooLarge(`An install may store ${MAX_KEYS_PER_INSTALL} keys.`, MAX_KEYS_PER_INSTALL);
      }
      if (constraint === QUOTA_CHECKS.bytes) {
        return tooLarge(`An install may store ${MAX_BYTES_PER_INSTALL} bytes.`, MAX_BYTES_PER_INSTALL);
      }
      throw error;
    }
  }

  async #one<T>(statement: RawBuilder<unknown>): Promise<T | undefined> {
    const { rows } = await this.#database.run((db) => statement.execute(db));
    return rows[0] as T | undefined;
  }
}

const install = ({ tenantId, installId }: StorageOwner) =>
  sql`(select install_id, status from tenant_extension_installs where install_id = ${installId} and tenant_id = ${tenantId})`;

function putStatement(
  owner: StorageOwner,
  { key, value, expectedRevision, ttlSeconds }: StoragePut,
): RawBuilder<unknown> {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const expiresAt =
    ttlSeconds === undefined ? sql`null::timestamptz` : sql`now() + make_interval(secs => ${ttlSeconds})`;
  const revision = sql`nextval('install_storage_revision')`;
  // A named revision may only replace: as an insert it would bring back a key that was deleted while this one waited.
  const write =
    expectedRevision !== undefined && expectedRevision > 0
      ? sql`update install_storage s
          set value = ${bytes}, revision = ${revision}, expires_at = ${expiresAt}, updated_at = now()
          from owner o
          where s.install_id = o.install_id and o.status = 'active' and s.key = ${key}
            and s.revision = ${expectedRevision} and ${LIVE}
          returning s.revision`
      : sql`insert into install_storage as s (install_id, key, value, revision, expires_at)
          select o.install_id, ${key}, ${bytes}, ${revision}, ${expiresAt} from owner o where o.status = 'active'
          on conflict (install_id, key) do update
            -- Drawn anew: the one of the insert was drawn before it waited for the writer that was faster.
            set value = excluded.value, revision = ${revision}, expires_at = excluded.expires_at, updated_at = now()
            where ${expectedRevision === undefined ? sql`true` : sql`not ${LIVE}`}
          returning s.revision`;
  return sql`with owner as (select * from ${install(owner)} i), written as (${write})
    select o.status, (select revision from written) as revision from owner o`;
}

function assertActive<T extends { status: Status }>(row: T | undefined): asserts row is T {
  if (row === undefined || row.status === 'uninstalled') throw new AlgaError('extension_not_found');
  if (row.status === 'suspended') throw new AlgaError('install_suspended');
}

const tooLarge = (message: string, limit: number): AlgaError => new AlgaError('body_too_large', message, { limit });

const toValue = ({ key, value, revision, expires_ms }: ValueRow): StoredValue => ({
  key,
  value,
  revision,
  expiresAt: expires_ms ?? undefined,
});
