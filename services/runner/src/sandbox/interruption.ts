// The words that main thread, watchdog thread and guest code share. Guest code was patched at publish: at each loop head
// and call it reads the word at address 0 and traps where that is negative.
//
// The word holds the number of the slice that runs, 0 between slices. The watchdog interrupts slice n by a compare-exchange
// from n to n with its sign bit set: if the slice has ended meanwhile the exchange fails, so that no late decision can hit
// the slice after it. The same holds for times that are read while the next slice's are written.

/** Indexes into the words. */
export const WORD = { slice: 0, verdict: 1, asleep: 2 } as const;

/** Indexes into the times, which lie on the same page as 64-bit floats: milliseconds that no uptime overflows. */
const TIME = { wallDeadline: 2, cpuBudget: 3 } as const;

/** Why the watchdog interrupted a slice. */
export const VERDICT = { none: 0, wall: 1, cpu: 2 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

export const SIGN_BIT = 0x8000_0000 | 0;
const MAX_SLICE = 0x7fff_ffff;

/** What the worker is started with. */
export interface WatchdogData {
  readonly page: SharedArrayBuffer;
}

/** Monotonic clock that both threads read alike, ms. `performance.now()` counts from another zero in each thread. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/**
 * What is to become of the running slice.
 * @param nowMs on the monotonic clock.
 * @param cpuUsedMs processor time since the slice began.
 */
export function judge(page: SharedArrayBuffer, nowMs: number, cpuUsedMs: number): Verdict {
  const times = new Float64Array(page);
  if (nowMs >= (times[TIME.wallDeadline] ?? 0)) return VERDICT.wall;
  return cpuUsedMs >= (times[TIME.cpuBudget] ?? 0) ? VERDICT.cpu : VERDICT.none;
}

/** The main thread's side: says which slice runs and until when. */
export class Interruption {
  /** What patched modules import. */
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  readonly #page = this.memory.buffer as unknown as SharedArrayBuffer;
  readonly #words = new Int32Array(this.#page);
  readonly #times = new Float64Array(this.#page);
  #slice = 0;

  get watchdogData(): WatchdogData {
    return { page: this.#page };
  }

  /**
   * @param wallDeadlineMs on the monotonic clock.
   * @param cpuBudgetMs processor time that this slice may use. Where there is none it begins interrupted: slices that are
   * shorter than the watchdog's look would go on for ever.
   */
  begin(wallDeadlineMs: number, cpuBudgetMs: number): void {
    const words = this.#words;
    const isSpent = cpuBudgetMs <= 0;
    this.#slice = this.#slice === MAX_SLICE ? 1 : this.#slice + 1;
    this.#times[TIME.wallDeadline] = wallDeadlineMs;
    this.#times[TIME.cpuBudget] = cpuBudgetMs;
    words[WORD.verdict] = isSpent ? VERDICT.cpu : VERDICT.none;
    Atomics.store(words, WORD.slice, isSpent ? this.#slice | SIGN_BIT : this.#slice);
    if (Atomics.exchange(words, WORD.asleep, 0) === 1) Atomics.notify(words, WORD.slice);
  }

  /** Ends the slice and says whether it was interrupted. */
  end(): 'wall' | 'cpu' | undefined {
    if (Atomics.exchange(this.#words, WORD.slice, 0) >= 0) return undefined;
    return this.#words[WORD.verdict] === VERDICT.cpu ? 'cpu' : 'wall';
  }
}
