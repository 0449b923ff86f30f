import { randomBytes } from 'node:crypto';
import { createDatabase, dropDatabase } from './databases.ts';
import { type RunningPostgres, startPostgres } from './postgres-server.ts';

export interface TestDatabase {
  readonly url: string;
  /** Drops it; the last one also stops the Postgres that was started for this process. */
  drop(): Promise<void>;
}

let own: Promise<RunningPostgres> | undefined;
let inUse = 0;

/**
 * A fresh database of a random name, on the server whose superuser URL is in `ALGA_TEST_DATABASE_URL` (`npm test` sets it), or else on a
 * Postgres started for this process, which costs a second: take one database per spec file.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const given = process.env.ALGA_TEST_DATABASE_URL;
  if (given !== undefined && given !== '') {
    return { url: await createDatabase(given, name), drop: () => dropDatabase(given, name) };
  }
  inUse++;
  own ??= startPostgres({ durable: false });
  const starting = own;
  const release = async () => {
    inUse--;
    if (inUse > 0) return;
    own = undefined;
    await (await starting).stop();
  };
  let server: RunningPostgres;
  try {
    server = await starting;
  } catch (error) {
    inUse--;
    if (own === starting) own = undefined;
    throw error;
  }
  let dropped: Promise<void> | undefined;
  const url = await server.createDatabase(name);
  return {
    url,
    drop: () => {
      dropped ??= server.dropDatabase(name).finally(release);
      return dropped;
    },
  };
}
