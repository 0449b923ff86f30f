import { type Kysely, sql } from 'kysely';
import type { BrokerDatabase } from './postgres-schema.ts';

/** Whether the database answered when it was last asked. */
export class PostgresHealth {
  readonly #db: Kysely<BrokerDatabase>;
  #answers = true;

  constructor(db: Kysely<BrokerDatabase>) {
    this.#db = db;
  }

  get answers(): boolean {
    return this.#answers;
  }

  async check(): Promise<void> {
    try {
      await sql`select 1`.execute(this.#db);
      this.#answers = true;
    } catch (error) {
      this.#answers = false;
      throw error;
    }
  }
}
