import { randomUUID } from 'node:crypto';
import { type TestDatabase, testDatabase } from '@alga/local-stack';
import { migrate, openPostgres } from '@alga/storage';
import { jest } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import type { AuditEntry } from '../core/audit-chain.ts';
import { PostgresLedger } from './postgres-ledger.ts';
import { type BrokerDatabase, MIGRATIONS } from './postgres-schema.ts';
import { PostgresWebhookEvents } from './postgres-webhook-events.ts';

jest.setTimeout(60_000);

/** No more at once than there are connections: a wait for one of those has a deadline of its own. */
const WRITERS = 20;

const entry = (change: Partial<AuditEntry> = {}): AuditEntry => ({
  id: randomUUID(),
  at: 1_800_000_000_000,
  kind: 'access',
  tenantId: 'acme',
  installId: 'sync-1',
  extensionId: 'sync',
  keys: ['api_key'],
  secretsVersion: 1,
  requestId: 'request-0001',
  runnerId: 'runner-1',
  outcome: 'read',
  ...change,
});
const proof = (jti = randomUUID()) => ({ jti, expiresAtMs: 1_800_000_060_000 });

let database: TestDatabase;
let db: Kysely<BrokerDatabase>;
let ledger: PostgresLedger;

beforeAll(async () => {
  database = await testDatabase();
  db = await openPostgres<BrokerDatabase>({ url: database.url, maxConnections: WRITERS, onError: () => undefined });
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});
beforeEach(async () => {
  await sql`drop schema public cascade; create schema public`.execute(db);
  await migrate(db, MIGRATIONS);
  ledger = new PostgresLedger(db);
});

const all = () => ledger.read({ after: 0, limit: 1000 });
const proofs = () => db.selectFrom('redemption_proofs').selectAll().execute();

describe('the ledger', () => {
  it('links what many writers append at once into one unbroken chain', async () => {
    const write = async () => {
      for (let n = 0; n < 3; n += 1) await ledger.append([entry(), entry()]);
    };
    await Promise.all(Array.from({ length: WRITERS }, write));
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 120 });
  });

  it('takes a proof once, however many try it at the same time, and keeps one row for it', async () => {
    const used = proof();
    const attempts = await Promise.all(
      Array.from({ length: WRITERS }, () => ledger.recordRedemption(entry({ kind: 'redemption' }), used)),
    );
    expect(attempts.filter((outcome) => outcome === 'recorded')).toHaveLength(1);
    expect(await all()).toHaveLength(1);
  });

  it('records an entry once by its id, also when repeated within one batch', async () => {
    const twice = entry({ id: 'access:same' });
    await ledger.append([twice, twice, entry()]);
    await Promise.all([ledger.append([twice]), ledger.append([twice])]);
    expect((await all()).filter(({ id }) => id === 'access:same')).toHaveLength(1);
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 2 });
  });

  it('takes the other half of a batch of which half was recorded before, in its order', async () => {
    const batch = Array.from({ length: 128 }, () => entry());
    const before = batch.filter((_, index) => index % 2 === 0);
    await ledger.append(before);
    await ledger.append(batch);
    const after = batch.filter((_, index) => index % 2 === 1);
    expect((await all()).map(({ id }) => id)).toEqual([...before, ...after].map(({ id }) => id));
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 128 });
  });

  it('takes a batch that several deliver at once as one', async () => {
    const batch = Array.from({ length: 128 }, () => entry());
    await Promise.all(Array.from({ length: WRITERS }, () => ledger.append(batch)));
    expect((await all()).map(({ id }) => id)).toEqual(batch.map(({ id }) => id));
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 128 });
  });

  it('links redemptions and overlapping batches that come at the same time into one chain', async () => {
    const accesses = Array.from({ length: 200 }, () => entry());
    const redeem = () => ledger.recordRedemption(entry({ kind: 'redemption', keys: ['a', 'b'] }), proof());
    const batches = Array.from({ length: WRITERS / 2 }, (_, at) =>
      ledger.append(accesses.slice(at * 10, at * 10 + 110)),
    );
    const outcomes = await Promise.all(Array.from({ length: WRITERS / 2 }, redeem));
    await Promise.all(batches);
    expect(new Set(outcomes)).toEqual(new Set(['recorded']));
    const rows = await all();
    expect(new Set(rows.filter(({ kind }) => kind === 'access').map(({ id }) => id))).toEqual(
      new Set(accesses.map(({ id }) => id)),
    );
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 210 });
  });

  it('records no redemption, and so releases nothing, under an id that the log has already (I2)', async () => {
    const first = entry({ kind: 'redemption', id: 'redemption:same' });
    await ledger.recordRedemption(first, proof());
    await expect(ledger.recordRedemption(first, proof())).rejects.toThrow();
    expect([await all(), await proofs()].map(({ length }) => length)).toEqual([1, 1]);
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 1 });
  });

  it('keeps what a guest asked for, whatever it is: NUL, lone surrogates, quotes', async () => {
    const keys = ['a\0b', '\ud800', '"; drop table audit_log; --', '__proto__'];
    await ledger.append([entry({ keys })]);
    expect((await all())[0]?.keys).toEqual(keys);
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true });
  });

  it.each([
    ['an altered row', sql`update audit_log set outcome = 'denied' where seq = 3`, 3],
    ['a row whose key names are no longer JSON', sql`update audit_log set key_names = 'x' where seq = 3`, 3],
    ['a removed row', sql`delete from audit_log where seq = 3`, 3],
    ['the removed last row', sql`delete from audit_log where seq = 5`, 5],
    [
      'two rows that changed places',
      sql`update audit_log set seq = case seq when 2 then 1002 else 1003 end where seq in (2, 3);
          update audit_log set seq = case seq when 1002 then 3 else 2 end where seq > 1000`,
      2,
    ],
  ])('names the place of %s', async (_, tampering, badSeq) => {
    await ledger.append(Array.from({ length: 5 }, () => entry()));
    await tampering.execute(db);
    await expect(ledger.verify()).resolves.toMatchObject({ ok: false, badSeq });
  });

  it('finds entries by install and by request, in order, page by page', async () => {
    await ledger.append([entry(), entry({ installId: 'other' }), entry({ requestId: 'request-0002' }), entry()]);
    const page = await ledger.read({ tenantId: 'acme', installId: 'sync-1', after: 0, limit: 2 });
    expect(page.map(({ seq }) => seq)).toEqual([1, 3]);
    const next = await ledger.read({ tenantId: 'acme', installId: 'sync-1', after: 3, limit: 2 });
    expect(next.map(({ seq }) => seq)).toEqual([4]);
    await expect(ledger.read({ requestId: 'request-0002', after: 0, limit: 9 })).resolves.toHaveLength(1);
  });

  it('forgets proofs only after they have expired', async () => {
    await ledger.recordRedemption(entry(), { jti: 'old', expiresAtMs: 1_000 });
    await ledger.recordRedemption(entry(), { jti: 'new', expiresAtMs: 3_000 });
    await ledger.pruneProofs(2_000);
    expect((await proofs()).map(({ jti }) => jti)).toEqual(['new']);
  });
});

describe('when Postgres refuses, nothing counts as recorded (I2)', () => {
  const refuse = (on: string, when: string) =>
    sql`create function refuse() returns trigger language plpgsql as 'begin raise exception ''disk full''; end';
        ${sql.raw(`create ${on} trigger refused ${when} for each row execute function refuse()`)}`.execute(db);

  it.each([
    ['the insert of the row', '', 'before insert on audit_log'],
    ['the move of the head', '', 'before update on audit_head'],
    ['the commit itself', 'constraint', 'after insert on audit_log deferrable initially deferred'],
  ])('%s fails: the redemption throws, and neither row nor proof stays', async (_, kind, when) => {
    await refuse(kind, when);
    await expect(ledger.recordRedemption(entry(), proof())).rejects.toThrow();
    expect([await all(), await proofs()]).toEqual([[], []]);
    await sql`drop function refuse cascade`.execute(db);
    await expect(ledger.recordRedemption(entry(), proof())).resolves.toBe('recorded');
    await expect(ledger.verify()).resolves.toMatchObject({ ok: true, rows: 1 });
  });
});

describe('webhook events', () => {
  const key = { source: 'local', eventId: 'e1' };

  it('are claimed by one of many deliveries, and are replays once handled', async () => {
    const events = new PostgresWebhookEvents(db);
    const claims = await Promise.all(Array.from({ length: 10 }, () => events.claim(key)));
    expect(claims.toSorted()).toEqual([...Array(9).fill('being_handled'), 'claimed']);
    await events.finish(key, 'handled');
    await expect(events.claim(key)).resolves.toBe('handled_before');
    await expect(events.claim({ ...key, source: 'other' })).resolves.toBe('claimed');
  });

  it('may be claimed again after their handling failed, or after its process died', async () => {
    const events = new PostgresWebhookEvents(db);
    await events.claim(key);
    await events.finish(key, 'failed');
    await expect(events.claim(key)).resolves.toBe('claimed');
    await expect(events.claim(key)).resolves.toBe('being_handled');
    await sql`update webhook_events set claimed_at = now() - interval '31 seconds'`.execute(db);
    await expect(events.claim(key)).resolves.toBe('claimed');
  });
});
