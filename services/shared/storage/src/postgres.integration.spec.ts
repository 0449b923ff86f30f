import { type TestDatabase, testDatabase, waitUntil } from '@alga/local-stack';
import { jest } from '@jest/globals';
import { type Kysely, sql } from 'kysely';
import { openPostgres } from './postgres.ts';

jest.setTimeout(60_000);

describe('a connection that the server ends', () => {
  let database: TestDatabase;
  let db: Kysely<object>;
  const errors: Error[] = [];

  beforeAll(async () => {
    database = await testDatabase();
    db = await openPostgres<object>({ url: database.url, maxConnections: 2, onError: (error) => errors.push(error) });
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  const pidOf = async (on: Kysely<object>) =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(on)).rows[0]?.pid;
  const end = (pid: number | undefined) => sql`select pg_terminate_backend(${pid}, 5000)`.execute(db);

  it('between two statements of a transaction fails the transaction and is told, and does not end the process', async () => {
    const transaction = db.transaction().execute(async (trx) => {
      await end(await pidOf(trx));
      expect(await waitUntil(() => errors.length > 0, { deadlineMs: 10_000 })).toBe(true);
      await sql`select 1`.execute(trx);
    });
    await expect(transaction).rejects.toThrow();
    await expect(pidOf(db)).resolves.toBeGreaterThan(0);
  });
});
