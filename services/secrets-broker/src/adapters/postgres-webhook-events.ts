import { type Kysely, sql } from 'kysely';
import type { EventClaim, EventKey } from '../core/rotation.ts';
import type { BrokerDatabase } from './postgres-schema.ts';

/** A handler that has not finished by then died with its process: the next delivery may take over. Above any handling time. */
const CLAIM_LIFE = '30 seconds';
/** Longer than any sender goes on repeating an event. */
const KEPT_FOR = '30 days';

/** Which notifications came, and what became of them: a handled one is a replay, a failed one may come again. */
export class PostgresWebhookEvents {
  readonly #db: Kysely<BrokerDatabase>;

  constructor(db: Kysely<BrokerDatabase>) {
    this.#db = db;
  }

  async claim({ source, eventId }: EventKey): Promise<EventClaim> {
    // One statement: of several deliveries at once, one gets the row. Ages by Postgres's clock.
    const claimed = await sql`
      insert into webhook_events as e (source, event_id, state) values (${source}, ${eventId}, 'handling')
      on conflict (source, event_id) do update set state = 'handling', claimed_at = now()
        where e.state = 'failed' or (e.state = 'handling' and e.claimed_at < now() - ${CLAIM_LIFE}::interval)
      returning 1`.execute(this.#db);
    if (claimed.rows.length === 1) return 'claimed';
    const row = await this.#db
      .selectFrom('webhook_events')
      .select('state')
      .where('source', '=', source)
      .where('event_id', '=', eventId)
      .executeTakeFirst();
    return row?.state === 'handled' ? 'handled_before' : 'being_handled';
  }

  async finish({ source, eventId }: EventKey, state: 'handled' | 'failed'): Promise<void> {
    await this.#db
      .updateTable('webhook_events')
      .set({ state })
      .where('source', '=', source)
      .where('event_id', '=', eventId)
      .execute();
  }

  async prune(): Promise<void> {
    await sql`delete from webhook_events where received_at < now() - ${KEPT_FOR}::interval`.execute(this.#db);
  }
}
