import { AlgaError } from '@alga/contracts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { ControlPlaneTables } from './postgres-schema.ts';

/** SQLSTATE classes that are about what we asked: bad data, broken constraints, wrong SQL. All others are about the server. */
const OUR_FAULT = /^(?:22|23|42)/;
const SQLSTATE = /^[0-9A-Z]{5}$/;
/** ECONNREFUSED and its kind, not Node's own ERR_INVALID_ARG_TYPE and such. */
const SOCKET_CODE = /^E[A-Z]+$/;
/** pg and its pool report these as plain errors without a code. */
const CONNECTION_LOST = /connect|terminat|timeout|not queryable|Cannot use a pool/i;

/**
 * The pool with its faults told apart: whatever says that the server cannot be reached or cannot work now becomes AlgaError
 * `unavailable`; what a statement did wrong stays as it is. Remembers the last outcome for the readiness check.
 */
export class PostgresDatabase {
  readonly #db: Kysely<ControlPlaneTables>;
  #answers = true;

  constructor(db: Kysely<ControlPlaneTables>) {
    this.#db = db;
  }

  /** Whether the server answered the last time somebody asked it something. */
  get answers(): boolean {
    return this.#answers;
  }

  /** One statement, or several that need no common snapshot. */
  run<T>(work: (db: Kysely<ControlPlaneTables>) => Promise<T>): Promise<T> {
    return this.#observe(() => work(this.#db));
  }

  /** All of it or none. READ COMMITTED: what is read after a row lock is newer than the lock. */
  transaction<T>(work: (tx: Transaction<ControlPlaneTables>) => Promise<T>): Promise<T> {
    return this.#observe(() => this.#db.transaction().setIsolationLevel('read committed').execute(work));
  }

  /** Asks the server the least there is to ask. @throws AlgaError `unavailable`. */
  async probe(): Promise<void> {
    await this.run((db) => sql`select 1`.execute(db));
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }

  async #observe<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work();
      this.#answers = true;
      return result;
    } catch (error) {
      if (!isServerTrouble(error)) throw error;
      this.#answers = false;
      throw new AlgaError('unavailable', 'The database does not answer.', { cause: error });
    }
  }
}

function isServerTrouble(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof AlgaError) return false;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return SQLSTATE.test(code) ? !OUR_FAULT.test(code) : SOCKET_CODE.test(code);
  return error.name === 'Error' && CONNECTION_LOST.test(error.message);
}

/** The name of the constraint that refused a row, if one did. */
export function violatedConstraint(error: unknown): string | undefined {
  const { code, constraint } = error as { code?: unknown; constraint?: unknown };
  return typeof code === 'string' && code.startsWith('23') && typeof constraint === 'string' ? constraint : undefined;
}
