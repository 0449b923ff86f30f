import type { Bus, Logger } from '@alga/chassis';
import { AlgaError, type AuditSecretAccess, channels } from '@alga/contracts';

/** Records that wait for the bus; at 200 bytes each they are a few MB. */
const MAX_WAITING = 10_000;
const MAX_AT_ONCE = 32;
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;

/** Publishes audit records behind the calls that caused them: a call neither waits for its record nor fails with it. */
export class NatsAudit {
  readonly #bus: Pick<Bus, 'publish'>;
  readonly #logger: Logger;
  readonly #onDropped: (count: number) => void;
  readonly #waiting: AuditSecretAccess[] = [];
  readonly #stopped = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #stopping = false;
  #overflowing = false;

  constructor(bus: Pick<Bus, 'publish'>, logger: Logger, onDropped: (count: number) => void) {
    this.#bus = bus;
    this.#logger = logger;
    this.#onDropped = onDropped;
  }

  record(event: AuditSecretAccess): void {
    if (this.#waiting.length >= MAX_WAITING) {
      // Once per overflow: a line per record would bury the log in the very situation in which it is read.
      if (!this.#overflowing) this.#logger.error({ limit: MAX_WAITING }, 'audit queue is full, records are dropped');
      this.#overflowing = true;
      this.#onDropped(1);
      return;
    }
    this.#waiting.push(event);
    this.#running ??= this.#drain();
  }

  /** Publishes what waits, at most `deadlineMs` long; what is left then is counted and logged. */
  async stop(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => this.#giveUp(), deadlineMs);
    await this.#running;
    clearTimeout(timer);
    this.#giveUp();
    if (this.#waiting.length === 0) return;
    this.#onDropped(this.#waiting.length);
    this.#logger.error({ records: this.#waiting.length }, 'audit records lost at shutdown');
  }

  async #drain(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (this.#waiting.length > 0 && !this.#stopping) {
      const batch = this.#waiting.slice(0, MAX_AT_ONCE);
      const failed = (await Promise.all(batch.map((event) => this.#publish(event)))).filter(
        (event) => event !== undefined,
      );
      this.#waiting.splice(0, batch.length, ...failed);
      if (failed.length === 0) {
        retryMs = FIRST_RETRY_MS;
        this.#overflowing = false;
        continue;
      }
      await this.#pause(retryMs);
      retryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
    }
    this.#running = undefined; // in the same step as the check above: a record that comes next starts a new run
  }

  /** Undefined when the record is done with, else the record itself. */
  async #publish(event: AuditSecretAccess): Promise<AuditSecretAccess | undefined> {
    try {
      // The id lets JetStream, and after it the broker, drop a repetition.
      await this.#bus.publish(channels.auditSecretAccess, event, {}, event.id);
      return undefined;
    } catch (err) {
      if (err instanceof AlgaError) return event;
      this.#logger.error({ err, auditId: event.id }, 'audit record cannot be published');
      this.#onDropped(1);
      return undefined;
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([promise, this.#stopped.promise]);
    clearTimeout(timer);
  }

  #giveUp(): void {
    this.#stopping = true;
    this.#stopped.resolve();
  }
}
