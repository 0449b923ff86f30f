import { createHash } from 'node:crypto';
import type { Bus, Logger } from '@alga/chassis';
import { AlgaError, type AuditSecretAccess, channels } from '@alga/contracts';

/** Records that wait for the bus; at 200 bytes each they are a few MB. */
const MAX_WAITING = 10_000;
/** As `accesses` in the schema. The largest records together stay below a third of NATS's usual 1 MiB. */
const MAX_BATCH = 128;
/**
 * How long a record waits for company. A message, with its acknowledgement and the broker's transaction, costs the
 * platform milliseconds of CPU whatever it holds. A runner that is killed loses the records of about this long.
 */
const COLLECT_MS = 25;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

/** Publishes audit records behind the calls that caused them: a call neither waits for its record nor fails with it. */
export class NatsAudit {
  readonly #bus: Pick<Bus, 'publish'>;
  readonly #logger: Logger;
  readonly #onDropped: (count: number) => void;
  /** In the order in which they came; the batch on its way is the first of them until it is done with. */
  readonly #waiting: AuditSecretAccess[] = [];
  #stopping = false;
  #ended = false;
  /** Ends the present pause. */
  #wake = (): void => undefined;
  #draining: Promise<void> | undefined;
  #overflowing = false;

  constructor(bus: Pick<Bus, 'publish'>, logger: Logger, onDropped: (count: number) => void) {
    this.#bus = bus;
    this.#logger = logger;
    this.#onDropped = onDropped;
  }

  record(event: AuditSecretAccess): void {
    if (this.#ended) {
      this.#onDropped(1);
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      // Once per overflow: a line per record would bury the log in the very situation in which it is read.
      if (!this.#overflowing) this.#logger.error({ limit: MAX_WAITING }, 'audit queue is full, records are dropped');
      this.#overflowing = true;
      this.#onDropped(1);
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length === MAX_BATCH) this.#wake();
    this.#draining ??= this.#drain();
  }

  /** Publishes what waits, at most `deadlineMs` long; what is not known to be stored then is counted and logged. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#wake();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    await Promise.race([this.#draining, late]);
    clearTimeout(timer);
    this.#ended = true;
    this.#wake();
    if (this.#waiting.length === 0) return;
    this.#onDropped(this.#waiting.length);
    this.#logger.error({ records: this.#waiting.length }, 'audit records lost at shutdown');
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#ended) {
      if (!this.#stopping && this.#waiting.length < MAX_BATCH) await this.#pause(COLLECT_MS);
      await this.#deliver(this.#waiting.slice(0, MAX_BATCH));
    }
    this.#overflowing = false;
    this.#draining = undefined; // in the same step as the check above: a record that comes next starts a new run
  }

  /** Takes the first records of the queue off it: stored or, where nobody ever will store one, dropped. */
  async #deliver(batch: readonly AuditSecretAccess[]): Promise<void> {
    const id = batchId(batch);
    for (let retryMs = FIRST_RETRY_MS; !this.#ended; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
      const outcome = await this.#publish(batch, id);
      if (this.#ended) return; // counted by `stop`
      if (outcome === 'refused') return this.#deliverApart(batch);
      if (outcome === 'stored') {
        this.#waiting.splice(0, batch.length);
        return;
      }
      await this.#pause(retryMs);
    }
  }

  /** One record that cannot be published must not take the others with it. */
  async #deliverApart(batch: readonly AuditSecretAccess[]): Promise<void> {
    if (batch.length === 1) {
      this.#waiting.shift();
      this.#onDropped(1);
      return;
    }
    const middle = batch.length >> 1;
    await this.#deliver(batch.slice(0, middle));
    await this.#deliver(batch.slice(middle));
  }

  async #publish(batch: readonly AuditSecretAccess[], id: string): Promise<'stored' | 'unavailable' | 'refused'> {
    try {
      await this.#bus.publish(channels.auditSecretAccess, { accesses: [...batch] }, {}, id);
      return 'stored';
    } catch (err) {
      if (err instanceof AlgaError && err.code === 'unavailable') return 'unavailable';
      if (batch.length === 1) this.#logger.error({ err, auditId: batch[0]?.id }, 'audit record cannot be published');
      return 'refused';
    }
  }

  // Not a race with one promise for the whole life: that would keep every pause there ever was.
  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }
}

/** The same for the same records: JetStream drops a batch that it stored although its acknowledgement was lost. */
const batchId = (batch: readonly AuditSecretAccess[]): string =>
  createHash('sha256')
    .update(batch.map(({ id }) => id).join('\n'))
    .digest('base64url');
