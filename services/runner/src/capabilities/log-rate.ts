/** Lines per second of one install, over all its requests on this runner: each costs the log store about as much as a call. */
const LINES_PER_SECOND = 100;
/** What an install that was silent may write at once: two requests that use up the default of their own budgets. */
const BURST_LINES = 2_000;
/** Installs remembered at once; one that is forgotten starts with a full budget. */
const MAX_INSTALLS = 10_000;

/** How fast one install may log: a bucket of lines that fills as time passes. */
export class LogRate {
  readonly #now: () => number;
  #lines = BURST_LINES;
  #filledAt: number;
  #dropped = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#filledAt = now();
  }

  /** Whether one more line may be written; counts it. */
  take(): boolean {
    const now = this.#now();
    this.#lines = Math.min(BURST_LINES, this.#lines + ((now - this.#filledAt) / 1_000) * LINES_PER_SECOND);
    this.#filledAt = now;
    if (this.#lines < 1) return false;
    this.#lines -= 1;
    return true;
  }

  dropped(lines: number): void {
    this.#dropped += lines;
  }

  /** How many lines were dropped since it was last said; 0 while it cannot be said, because that is a line as well. */
  toSay(): number {
    if (this.#dropped === 0 || !this.take()) return 0;
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

/** The rates of all installs; the one that has not logged for longest is forgotten first. */
export class LogRates {
  readonly #now: () => number;
  readonly #rates = new Map<string, LogRate>();

  /** @param now monotonic clock, ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  of(tenantId: string, installId: string): LogRate {
    const key = `${tenantId}/${installId}`;
    const rate = this.#rates.get(key) ?? new LogRate(this.#now);
    this.#rates.delete(key);
    this.#rates.set(key, rate);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > MAX_INSTALLS && oldest !== undefined) this.#rates.delete(oldest);
    return rate;
  }
}
