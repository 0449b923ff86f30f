import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import {
  type AuditEntry,
  type AuditFilter,
  type AuditRow,
  type ChainHead,
  type ChainVerdict,
  ChainWalk,
  type Extension,
  encodeKeys,
  extend,
} from '../core/audit-chain.ts';
import type { BrokerDatabase } from './postgres-schema.ts';

/** Rows that the verification reads at once. */
const WALK_PAGE = 1_000;

/** The audit log and the used proofs, in Postgres. Each method throws when the database does not confirm. */
export class PostgresLedger {
  readonly #db: Kysely<BrokerDatabase>;

  constructor(db: Kysely<BrokerDatabase>) {
    this.#db = db;
  }

  /** Proof and entry in one transaction; resolves after the commit and not before (I2). */
  async recordRedemption(
    entry: AuditEntry,
    proof: { jti: string; expiresAtMs: number },
  ): Promise<'recorded' | 'proof_replayed'> {
    return this.#db.transaction().execute(async (trx) => {
      // Of several at once, one inserts; the others wait for its commit and then find the row.
      const inserted = await trx
        .insertInto('redemption_proofs')
        .values({ jti: proof.jti, expires_at: proof.expiresAtMs })
        .onConflict((conflict) => conflict.doNothing())
        .returning('jti')
        .executeTakeFirst();
      if (inserted === undefined) return 'proof_replayed';
      // No look at what was recorded before: an entry of this id in the log fails the insert, and so the release.
      await write(trx, extend(await readHead(trx, 'lock'), [entry]));
      return 'recorded';
    });
  }

  /** Appends entries, all or none; one whose id is in the log already is left out. Resolves after the commit. */
  async append(entries: readonly AuditEntry[]): Promise<void> {
    await this.#db.transaction().execute(async (trx) => {
      const head = await readHead(trx, 'lock');
      // A statement of its own, after the lock: only then does it see what the holder before us recorded.
      const ids = entries.map(({ id }) => id);
      const present = await trx
        .selectFrom('audit_log')
        .select('id')
        .where('id', '=', sql<string>`any(${ids})`)
        .execute();
      await write(trx, extend(head, entries, new Set(present.map(({ id }) => id))));
    });
  }

  async read(filter: AuditFilter): Promise<AuditRow[]> {
    let query = this.#db.selectFrom('audit_log').selectAll().where('seq', '>', filter.after);
    if (filter.tenantId !== undefined) query = query.where('tenant_id', '=', filter.tenantId);
    if (filter.installId !== undefined) query = query.where('install_id', '=', filter.installId);
    if (filter.requestId !== undefined) query = query.where('request_id', '=', filter.requestId);
    return (await query.orderBy('seq').limit(filter.limit).execute()).map(toRow);
  }

  /** Walks the whole log, of one moment, and names its first bad row. */
  async verify(): Promise<ChainVerdict> {
    return this.#db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute(async (trx) => {
        const head = await readHead(trx, 'read');
        const walk = new ChainWalk();
        for (;;) {
          const page = trx.selectFrom('audit_log').selectAll().where('seq', '>', walk.lastSeq).orderBy('seq');
          const rows = await page.limit(WALK_PAGE).execute();
          if (!walk.take(rows.map(toRow)) || rows.length < WALK_PAGE) return walk.finish(head);
        }
      });
  }

  /** Forgets proofs that expired before `nowMs`: they are refused by their time. */
  async pruneProofs(nowMs: number): Promise<void> {
    await this.#db.deleteFrom('redemption_proofs').where('expires_at', '<', nowMs).execute();
  }
}

/**
 * Rows and head in one statement. `on conflict do nothing` would leave a hole in the chain: what was recorded before is left
 * out earlier, under the lock. One array for each column: the statement is the same for one row and for a thousand.
 */
async function write(trx: Transaction<BrokerDatabase>, { rows, head }: Extension): Promise<void> {
  if (rows.length === 0) return;
  const column = <K extends keyof AuditRow>(name: K): AuditRow[K][] => rows.map((row) => row[name]);
  await sql`
    with appended as (
      insert into audit_log (seq, id, at, kind, tenant_id, install_id, extension_id, key_names, secrets_version,
        request_id, runner_id, outcome, prev_hash, hash)
      select * from unnest(
        ${column('seq')}::bigint[], ${column('id')}::text[], ${column('at')}::bigint[], ${column('kind')}::text[],
        ${column('tenantId')}::text[], ${column('installId')}::text[], ${column('extensionId')}::text[],
        ${column('keys').map(encodeKeys)}::text[], ${column('secretsVersion')}::bigint[],
        ${column('requestId')}::text[], ${column('runnerId')}::text[], ${column('outcome')}::text[],
        ${column('prevHash')}::text[], ${column('hash')}::text[]
      )
    )
    update audit_head set seq = ${head.seq}, hash = ${head.hash}`.execute(trx);
}

/** `lock` holds every other appender back until this transaction ends. */
async function readHead(trx: Transaction<BrokerDatabase>, mode: 'read' | 'lock'): Promise<ChainHead> {
  const query = trx.selectFrom('audit_head').select(['seq', 'hash']);
  return (mode === 'lock' ? query.forUpdate() : query).executeTakeFirstOrThrow();
}

const toRow = (columns: Selectable<BrokerDatabase['audit_log']>): AuditRow => ({
  seq: columns.seq,
  id: columns.id,
  at: columns.at,
  kind: columns.kind as AuditRow['kind'],
  tenantId: columns.tenant_id,
  installId: columns.install_id,
  extensionId: columns.extension_id,
  keys: parseKeys(columns.key_names),
  secretsVersion: columns.secrets_version,
  requestId: columns.request_id,
  runnerId: columns.runner_id,
  outcome: columns.outcome,
  prevHash: columns.prev_hash,
  hash: columns.hash,
});

/** What was tampered with need not be JSON: it must come out as an altered row, not as a fault. */
function parseKeys(text: string): readonly string[] {
  try {
    const keys: unknown = JSON.parse(text);
    if (Array.isArray(keys)) return keys;
  } catch {}
  return [text];
}
