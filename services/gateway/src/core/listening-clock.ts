/** Most that one step may count, in ms: more than that between two ticks, and it was we who stood still. */
const MAX_STEP_MS = 250;

/**
 * Counts the time during which a heartbeat would have been heard, in ms. It stands still while we are not connected or no longer
 * listen, and hardly moves over a stall of our own event loop: silence that is ours must not condemn a runner.
 */
export class ListeningClock {
  #at: number;
  #reading = 0;

  /** `now`: a monotonic time in ms. */
  constructor(now: number) {
    this.#at = now;
  }

  /** Moves the clock up to `now` and reads it. */
  tick(now: number, listening: boolean): number {
    const elapsed = now - this.#at;
    this.#at = now;
    if (listening) this.#reading += Math.min(Math.max(elapsed, 0), MAX_STEP_MS);
    return this.#reading;
  }
}
