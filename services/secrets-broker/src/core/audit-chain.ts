import { createHash } from 'node:crypto';

/** What happened, before it has its place in the chain. Names and ids only: never a value (I3). */
export interface AuditEntry {
  /** Unique over the whole log: a second entry of the same id is not recorded. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind: 'redemption' | 'access' | 'rotation';
  readonly tenantId: string | null;
  readonly installId: string | null;
  readonly extensionId: string | null;
  /** Names of secrets, in the order in which they were released or asked for. */
  readonly keys: readonly string[];
  readonly secretsVersion: number | null;
  readonly requestId: string | null;
  readonly runnerId: string | null;
  /** `released`, `data_key_released`, `rotated`, an access's outcome or the code of a refusal. */
  readonly outcome: string;
}

/** An entry in its place. `seq` counts from 1 without a gap; hashes are lower-case hex. */
export interface AuditRow extends AuditEntry {
  readonly seq: number;
  readonly prevHash: string;
  readonly hash: string;
}

/** Which rows to read, in order of `seq`. */
export interface AuditFilter {
  readonly tenantId?: string;
  readonly installId?: string;
  readonly requestId?: string;
  /** Only rows with a greater `seq`. */
  readonly after: number;
  readonly limit: number;
}

/** The last row's place and hash; of an empty log, GENESIS. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export const GENESIS: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** Names the fields below and their order: a change of either takes another name. */
const FORMAT = 'alga-audit-1';

/** Key names as the log stores and hashes them: JSON, in which what a guest sent (NUL, lone surrogates) is plain ASCII. */
export const encodeKeys = (keys: readonly string[]): string => JSON.stringify(keys);

// A list of values in a fixed order: JSON quotes them, so no two rows have the same text.
const canonical = (seq: number, e: AuditEntry): string =>
  JSON.stringify([
    FORMAT,
    seq,
    e.id,
    e.at,
    e.kind,
    e.tenantId,
    e.installId,
    e.extensionId,
    encodeKeys(e.keys),
    e.secretsVersion,
    e.requestId,
    e.runnerId,
    e.outcome,
  ]);

/** sha256(previous hash || row), hex. */
const hashOf = (prevHash: string, seq: number, entry: AuditEntry): string =>
  createHash('sha256').update(Buffer.from(prevHash, 'hex')).update(canonical(seq, entry)).digest('hex');

/** Rows that follow `head`, and the head after them. */
export interface Extension {
  readonly rows: readonly AuditRow[];
  readonly head: ChainHead;
}

/** The entries as the rows after `head`, in their order; those whose id is in `recorded`, or came before, are left out. */
export function extend(
  head: ChainHead,
  entries: readonly AuditEntry[],
  recorded: ReadonlySet<string> = new Set(),
): Extension {
  const seen = new Set(recorded);
  const rows: AuditRow[] = [];
  let { seq, hash } = head;
  for (const entry of entries) {
    if (seen.has(entry.id)) continue;
    seen.add(entry.id);
    const prevHash = hash;
    seq += 1;
    hash = hashOf(prevHash, seq, entry);
    rows.push({ ...entry, seq, prevHash, hash });
  }
  return { rows, head: { seq, hash } };
}

export type ChainVerdict =
  | { readonly ok: true; readonly rows: number; readonly head: ChainHead }
  | { readonly ok: false; readonly rows: number; readonly badSeq: number; readonly reason: string };

/** Walks a log in order of `seq`, page by page. */
export class ChainWalk {
  #last: ChainHead = GENESIS;
  #rows = 0;
  #bad: { readonly badSeq: number; readonly reason: string } | undefined;

  /** The row to go on after. */
  get lastSeq(): number {
    return this.#last.seq;
  }

  /** Takes the next rows. False as soon as one is bad: the rest says nothing. */
  take(rows: readonly AuditRow[]): boolean {
    for (const row of rows) {
      this.#bad = this.#faultOf(row);
      if (this.#bad !== undefined) return false;
      this.#last = { seq: row.seq, hash: row.hash };
      this.#rows += 1;
    }
    return true;
  }

  /** The verdict, given the head that is stored beside the log: it tells a log cut short from a whole one. */
  finish(head: ChainHead): ChainVerdict {
    const cut =
      head.seq === this.#last.seq && head.hash === this.#last.hash
        ? undefined
        : { badSeq: this.#last.seq + 1, reason: 'the log does not end where its head says' };
    const bad = this.#bad ?? cut;
    return bad === undefined
      ? { ok: true, rows: this.#rows, head: this.#last }
      : { ok: false, rows: this.#rows, ...bad };
  }

  #faultOf(row: AuditRow): { badSeq: number; reason: string } | undefined {
    const badSeq = this.#last.seq + 1;
    if (row.seq !== badSeq) return { badSeq, reason: 'a row is missing or out of order' };
    if (row.prevHash !== this.#last.hash) return { badSeq, reason: 'the row does not follow the one before it' };
    if (row.hash !== hashOf(row.prevHash, row.seq, row)) return { badSeq, reason: 'the row was altered' };
    return undefined;
  }
}
