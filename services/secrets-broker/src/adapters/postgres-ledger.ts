import type { Kysely, Selectable, Transaction } from 'kysely';
import {
  type AuditEntry,
  type AuditFilter,
  type AuditRow,
  type ChainHead,
  type ChainVerdict,
  ChainWalk,
  encodeKeys,
  link,
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
      await append(trx, [entry]);
      return 'recorded';
    });
  }

  /** Appends entries; one whose id is in the log already is left out. Resolves after the commit. */
  async append(entries: readonly AuditEntry[]): Promise<void> {
    await this.#db.transaction().execute((trx) => append(trx, entries));
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

async function append(trx: Transaction<BrokerDatabase>, entries: readonly AuditEntry[]): Promise<void> {
  const before = await readHead(trx, 'lock');
  const ids = entries.map(({ id }) => id);
  const present = await trx.selectFrom('audit_log').select('id').where('id', 'in', ids).execute();
  const seen = new Set(present.map(({ id }) => id));
  let head = before;
  const rows: Selectable<BrokerDatabase['audit_log']>[] = [];
  for (const entry of entries) {
    if (seen.has(entry.id)) continue;
    seen.add(entry.id);
    const row = link(head, entry);
    rows.push(toColumns(row));
    head = { seq: row.seq, hash: row.hash };
  }
  if (rows.length === 0) return;
  await trx.insertInto('audit_log').values(rows).execute();
  await trx.updateTable('audit_head').set(head).execute();
}

/** `lock` holds every other appender back until this transaction ends. */
async function readHead(trx: Transaction<BrokerDatabase>, mode: 'read' | 'lock'): Promise<ChainHead> {
  const query = trx.selectFrom('audit_head').select(['seq', 'hash']);
  return (mode === 'lock' ? query.forUpdate() : query).executeTakeFirstOrThrow();
}

const toColumns = (row: AuditRow): Selectable<BrokerDatabase['audit_log']> => ({
  seq: row.seq,
  id: row.id,
  at: row.at,
  kind: row.kind,
  tenant_id: row.tenantId,
  install_id: row.installId,
  extension_id: row.extensionId,
  key_names: encodeKeys(row.keys),
  secrets_version: row.secretsVersion,
  request_id: row.requestId,
  runner_id: row.runnerId,
  outcome: row.outcome,
  prev_hash: row.prevHash,
  hash: row.hash,
});

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
