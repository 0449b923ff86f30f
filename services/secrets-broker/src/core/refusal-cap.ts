/** Audited refusals per minute. Whoever can reach the subject could otherwise fill the log; faults stay visible below it. */
const MAX_REFUSALS_PER_MINUTE = 120;
const MINUTE_MS = 60_000;

/** Counts refusals per minute. Those over the cap show in the bus metrics (outcome by channel), not in the audit. */
export class RefusalCap {
  #minute = 0;
  #taken = 0;

  /** Whether the refusal at `nowMs` is still to be recorded. */
  admit(nowMs: number): boolean {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#taken = 0;
    }
    if (this.#taken >= MAX_REFUSALS_PER_MINUTE) return false;
    this.#taken += 1;
    return true;
  }
}
