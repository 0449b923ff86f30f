import fc from 'fast-check';
import { type AuditEntry, type AuditRow, type ChainHead, ChainWalk, extend, GENESIS } from './audit-chain.ts';

const text = fc.option(fc.string({ unit: 'binary', maxLength: 12 }), { nil: null });
const entry: fc.Arbitrary<AuditEntry> = fc.record({
  id: fc.uuid(),
  at: fc.nat(),
  kind: fc.constantFrom('redemption', 'access', 'rotation'),
  tenantId: text,
  installId: text,
  extensionId: text,
  keys: fc.array(fc.string({ unit: 'binary', maxLength: 8 }), { maxLength: 3 }),
  secretsVersion: fc.option(fc.nat(), { nil: null }),
  requestId: text,
  runnerId: text,
  outcome: fc.constantFrom('released', 'denied', 'proof_replayed'),
});
const entries = fc.uniqueArray(entry, { minLength: 1, maxLength: 12, selector: ({ id }) => id });

const chain = (list: readonly AuditEntry[]) => extend(GENESIS, list);

function verdict(rows: readonly AuditRow[], head: ChainHead) {
  const walk = new ChainWalk();
  walk.take(rows);
  return walk.finish(head);
}

describe('the audit chain', () => {
  it('holds for every log as it was written, also when read in pages', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 5 }), (list, page) => {
        const { rows, head } = chain(list);
        const walk = new ChainWalk();
        for (let from = 0; from < rows.length; from += page)
          expect(walk.take(rows.slice(from, from + page))).toBe(true);
        expect(walk.finish(head)).toEqual({ ok: true, rows: rows.length, head });
      }),
    );
  });

  it('leaves out what was recorded before or is repeated, and links the rest without a hole', () => {
    fc.assert(
      fc.property(entries, entries, fc.nat(), (before, list, pick) => {
        const start = chain(before);
        const again = [...before.slice(0, pick % before.length), ...list, ...list];
        const recorded = new Set(before.map(({ id }) => id));
        const { rows, head } = extend(start.head, again, recorded);
        expect(rows.map(({ id }) => id)).toEqual(list.map(({ id }) => id).filter((id) => !recorded.has(id)));
        const all = [...start.rows, ...rows];
        expect(verdict(all, head)).toEqual({ ok: true, rows: all.length, head });
      }),
    );
  });

  it('names the row in which any field was altered', () => {
    const changes: ((row: AuditRow) => AuditRow)[] = [
      (row) => ({ ...row, id: `${row.id}x` }),
      (row) => ({ ...row, at: row.at + 1 }),
      (row) => ({ ...row, kind: row.kind === 'access' ? 'rotation' : 'access' }),
      (row) => ({ ...row, tenantId: `${row.tenantId}x` }),
      (row) => ({ ...row, installId: row.installId === null ? '' : null }),
      (row) => ({ ...row, extensionId: `${row.extensionId}x` }),
      (row) => ({ ...row, keys: [...row.keys, 'more'] }),
      (row) => ({ ...row, secretsVersion: (row.secretsVersion ?? 0) + 1 }),
      (row) => ({ ...row, requestId: `${row.requestId}x` }),
      (row) => ({ ...row, runnerId: `${row.runnerId}x` }),
      (row) => ({ ...row, outcome: 'nothing happened' }),
    ];
    fc.assert(
      fc.property(entries, fc.nat(), fc.constantFrom(...changes), (list, pick, change) => {
        const { rows, head } = chain(list);
        const at = pick % rows.length;
        const altered = rows.map((row, index) => (index === at ? change(row) : row));
        expect(verdict(altered, head)).toMatchObject({ ok: false, badSeq: at + 1 });
      }),
    );
  });

  it('names the place from which a row was removed, the end included', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, pick) => {
        const { rows, head } = chain(list);
        const at = pick % rows.length;
        expect(verdict(rows.toSpliced(at, 1), head)).toMatchObject({ ok: false, badSeq: at + 1 });
      }),
    );
  });

  it('names the first of two rows that changed places', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(entry, { minLength: 2, maxLength: 12, selector: ({ id }) => id }),
        fc.nat(),
        (list, pick) => {
          const { rows, head } = chain(list);
          const at = pick % (rows.length - 1);
          const [a, b] = rows.slice(at, at + 2) as [AuditRow, AuditRow];
          const swapped = rows.toSpliced(at, 2, { ...b, seq: a.seq }, { ...a, seq: b.seq });
          expect(verdict(swapped, head)).toMatchObject({ ok: false, badSeq: at + 1 });
        },
      ),
    );
  });

  it('finds a row that was put in, and a rewritten tail whose head was kept', () => {
    fc.assert(
      fc.property(entries, entry, (list, extra) => {
        const { rows, head } = chain(list);
        expect(verdict([...rows, ...extend(head, [extra]).rows], head).ok).toBe(false);
        const rewritten = chain(list.with(-1, { ...extra, id: 'rewritten' }));
        expect(verdict(rewritten.rows, head).ok).toBe(false);
      }),
    );
  });

  it('does not let text move from one field into the next', () => {
    const base: AuditEntry = { ...(fc.sample(entry, { numRuns: 1, seed: 1 })[0] as AuditEntry), keys: [] };
    const first = (change: Partial<AuditEntry>) => chain([{ ...base, ...change }]).head.hash;
    const one = first({ tenantId: 'a', installId: 'bc' });
    const other = first({ tenantId: 'ab', installId: 'c' });
    const quoted = first({ tenantId: 'a","b', installId: 'c' });
    expect(new Set([one, other, quoted]).size).toBe(3);
  });
});
