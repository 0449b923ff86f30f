import { Kysely, PostgresDialect } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import pg from 'pg';

/** A query that takes longer is a fault: fail it rather than hold a connection. */
const STATEMENT_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** While the server starts side by side with us. */
const FIRST_CONNECT_DEADLINE_MS = 20_000;
const RETRY_WAIT_MS = 250;

/** bigint columns hold epochs, revisions and milliseconds, all below 2^53. */
const INT8 = 20;
pg.types.setTypeParser(INT8, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('bigint column over 2^53');
  return value;
});

interface PostgresOptions {
  readonly url: string;
  readonly maxConnections: number;
  /** Told about connections that broke; the pool replaces them. */
  readonly onError: (error: Error) => void;
}

/** Opens a pool and waits until the server answers. @throws Error when it does not within 20 s. */
export async function openPostgres<DB>(options: PostgresOptions): Promise<Kysely<DB>> {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS + 500,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  });
  // A connection that breaks while it is checked out, between two statements of a transaction, tells only its own listeners:
  // without one the process would end. The next statement on it fails, which is where the caller hears of it.
  pool.on('connect', (client) => client.on('error', options.onError));
  pool.on('error', () => undefined); // the same again for an idle connection, already told
  const deadline = performance.now() + FIRST_CONNECT_DEADLINE_MS;
  for (;;) {
    try {
      await pool.query('select 1');
      return new Kysely<DB>({ dialect: new PostgresDialect({ pool }) });
    } catch (error) {
      if (performance.now() > deadline) {
        await pool.end();
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS));
    }
  }
}

/** Brings the database up to date, all or nothing; safe when several processes start at once (advisory lock). */
export async function migrate<DB>(db: Kysely<DB>, migrations: Readonly<Record<string, Migration>>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}
