import { AlgaError } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { jest } from '@jest/globals';
import { sql } from 'kysely';
import type { StorageOwner } from '../ports/storage-store.ts';
import { StorageDatabase } from '../test-support/storage-database.ts';

let db: StorageDatabase;
beforeAll(async () => {
  db = await StorageDatabase.create();
}, 120_000);
afterAll(() => db?.stop(), 60_000);

/** Until a statement of this database waits for another one's transaction. */
async function untilSomebodyWaits(): Promise<void> {
  const waiting = async () => {
    const { rows } = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(db.pool);
    return rows.length > 0;
  };
  expect(await waitUntil(waiting, { deadlineMs: 5_000 })).toBe(true);
}

/** Sets the date of this process; the driver keeps its timers. */
const setDate = (now: number) =>
  jest.useFakeTimers({
    now,
    doNotFake: [
      ...(['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate'] as const),
      ...(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] as const),
    ],
  });

async function usageIsExact(owner: StorageOwner): Promise<void> {
  const { counted, there } = await db.usage(owner);
  expect(counted).toEqual(there);
}

describe('the revision of a write', () => {
  it('is above that of every write before it, even of one that overtook it', async () => {
    const owner = await db.newOwner();
    const drawn = sql<number>`nextval('install_storage_revision')`;
    let slow: ReturnType<typeof db.put> | undefined;
    const fast = await db.pool.transaction().execute(async (tx) => {
      const row = { install_id: owner.installId, key: 'k', value: Buffer.from('fast'), revision: drawn };
      await tx.insertInto('install_storage').values(row).execute();
      slow = db.put(owner, 'k', 'slow');
      await untilSomebodyWaits();
      const later = tx.updateTable('install_storage').set({ revision: drawn }).where('key', '=', 'k');
      return later.where('install_id', '=', owner.installId).returning('revision').executeTakeFirstOrThrow();
    });
    const written = await slow;
    if (written?.outcome !== 'stored') throw new Error('not stored');
    expect(written.revision).toBeGreaterThan(fast.revision);
    expect(await db.storage.get(owner, 'k')).toMatchObject({ revision: written.revision });
  });
});

describe('a delete of a revision', () => {
  it.each(['missing', 'conflict'] as const)(
    'that a faster writer was at is answered as that one left it: %s',
    async (left) => {
      const owner = await db.newOwner();
      const made = await db.put(owner, 'k', 'v');
      if (made.outcome !== 'stored') throw new Error('not stored');
      let slow: ReturnType<typeof db.storage.delete> | undefined;
      await db.pool.transaction().execute(async (tx) => {
        const row = sql`install_id = ${owner.installId} and key = 'k'`;
        await (left === 'missing'
          ? sql`delete from install_storage where ${row}`
          : sql`update install_storage set revision = nextval('install_storage_revision') where ${row}`
        ).execute(tx);
        slow = db.storage.delete(owner, 'k', made.revision);
        await untilSomebodyWaits();
      });
      expect(await slow).toBe(left);
    },
  );
});

describe('whether a value has expired', () => {
  afterEach(() => void jest.useRealTimers());

  it("is said by the database's clock, whatever the clock of this process says", async () => {
    const owner = await db.newOwner();
    setDate(Date.now() + 7 * 86_400_000);
    await db.put(owner, 'k', 'v', undefined, 60);
    expect(await db.storage.get(owner, 'k')).toMatchObject({ key: 'k' });
    const found = await db.storage.get(owner, 'k');
    jest.useRealTimers();
    const left = (found?.expiresAt ?? 0) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);

    setDate(Date.now() - 7 * 86_400_000);
    await db.setExpiry(owner, 'k', 'now');
    expect(await db.storage.get(owner, 'k')).toBeUndefined();
    expect((await db.storage.list(owner, { prefix: '', after: undefined, limit: 10 })).entries).toEqual([]);
    expect(await db.storage.delete(owner, 'k', undefined)).toBe('missing');
  });

  it('also decides what a write finds: an expired value is not there to be replaced, only to be written anew', async () => {
    const owner = await db.newOwner();
    const first = await db.put(owner, 'k', 'v', 0, 60);
    if (first.outcome !== 'stored') throw new Error('not stored');
    await db.setExpiry(owner, 'k', 'now');
    expect(await db.put(owner, 'k', 'w', first.revision)).toEqual({ outcome: 'conflict' });
    const again = await db.put(owner, 'k', 'w', 0);
    expect(again).toMatchObject({ outcome: 'stored' });
    expect((await db.storage.get(owner, 'k'))?.expiresAt).toBeUndefined();
  });

  it('makes no difference to a value that was given more time meanwhile', async () => {
    const owner = await db.newOwner();
    await db.put(owner, 'k', 'v', undefined, 60);
    await db.setExpiry(owner, 'k', 'now');
    await db.setExpiry(owner, 'k', 'in an hour');
    expect(await db.storage.sweep(owner.installId)).toBe(0);
    expect(await db.storage.get(owner, 'k')).toMatchObject({ key: 'k' });
  });
});

describe('the quota of an install', () => {
  /** Fills up to one key below the number that an install may have. */
  async function nearlyFull(): Promise<StorageOwner> {
    const owner = await db.newOwner();
    await sql`insert into install_storage (install_id, key, value, revision)
      select ${owner.installId}, 'k' || n, 'v', nextval('install_storage_revision') from generate_series(1, 999) n`.execute(
      db.pool,
    );
    return owner;
  }

  it('lets exactly one of many writers have the last key, and tells the others which limit it was', async () => {
    const owner = await nearlyFull();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => db.put(owner, `last-${index}`, 'v')),
    );
    const refused = outcomes
      .filter((outcome) => outcome.status === 'rejected')
      .map(({ reason }) => reason as AlgaError);
    expect(refused).toHaveLength(11);
    for (const error of refused) {
      expect(error).toBeInstanceOf(AlgaError);
      expect(error).toMatchObject({
        code: 'body_too_large',
        limit: 1_000,
        message: 'An install may store 1000 keys.',
      });
    }
    await usageIsExact(owner);
  });

  it('is of the install: a full one takes nothing from its neighbour', async () => {
    const owner = await nearlyFull();
    await db.put(owner, 'last', 'v');
    await expect(db.put(owner, 'one-more', 'v')).rejects.toMatchObject({ limit: 1_000 });
    expect(await db.put(await db.newOwner(), 'one-more', 'v')).toMatchObject({ outcome: 'stored' });
  });

  it('does not count what has expired, removed or not', async () => {
    const owner = await nearlyFull();
    await db.put(owner, 'last', 'v');
    await db.setExpiry(owner, 'k7', 'now');
    expect(await db.put(owner, 'one-more', 'v')).toMatchObject({ outcome: 'stored' });
    await expect(db.put(owner, 'another', 'v')).rejects.toMatchObject({ limit: 1_000 });
    await usageIsExact(owner);
  });

  it('never stands in the way of replacing a value by a smaller one', async () => {
    const owner = await nearlyFull();
    await db.put(owner, 'last', 'v');
    expect(await db.put(owner, 'k1', '')).toMatchObject({ outcome: 'stored' });
    await usageIsExact(owner);
  });
});
