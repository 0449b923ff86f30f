// The words that main thread, watchdog thread and guest code share. Guest code was patched at publish: at each loop head
// and call it reads the word at address 0 and traps where that is negative.
//
// The word holds the number of the slice that runs, 0 between slices. The watchdog interrupts slice n by a compare-exchange
// from n to n with its sign bit set: if the slice has ended meanwhile the exchange fails, so that no late decision can hit
// the slice after it.

/** Indexes into the words. */
export const WORD = { slice: 0, wallDeadline: 1, cpuBudget: 2, verdict: 3, asleep: 4 } as const;

/** Why the watchdog interrupted a slice. */
export const VERDICT = { none: 0, wall: 1, cpu: 2 } as const;

export const SIGN_BIT = 0x8000_0000 | 0;
const MAX_SLICE = 0x7fff_ffff;
const FAR_MS = 0x3fff_ffff;

/** What the worker is started with. */
export interface WatchdogData {
  readonly words: SharedArrayBuffer;
  /** Monotonic time of word deadlines' zero, ms. */
  readonly epochMs: number;
}

/** Monotonic clock that both threads read alike, ms. `performance.now()` counts from another zero in each thread. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** The main thread's side: says which slice runs and until when. */
export class Interruption {
  /** What patched modules import. */
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  readonly #words = new Int32Array(this.memory.buffer as unknown as SharedArrayBuffer);
  readonly #epochMs = monotonicMs();
  #slice = 0;

  get watchdogData(): WatchdogData {
    return { words: this.memory.buffer as unknown as SharedArrayBuffer, epochMs: this.#epochMs };
  }

  /**
   * @param wallDeadlineMs on the monotonic clock.
   * @param cpuBudgetMs processor time that this slice may use.
   */
  begin(wallDeadlineMs: number, cpuBudgetMs: number): void {
    const words = this.#words;
    this.#slice = this.#slice === MAX_SLICE ? 1 : this.#slice + 1;
    words[WORD.wallDeadline] = Math.min(FAR_MS, Math.ceil(wallDeadlineMs - this.#epochMs));
    words[WORD.cpuBudget] = Math.min(FAR_MS, Math.max(0, Math.ceil(cpuBudgetMs)));
    words[WORD.verdict] = VERDICT.none;
    Atomics.store(words, WORD.slice, this.#slice);
    if (Atomics.exchange(words, WORD.asleep, 0) === 1) Atomics.notify(words, WORD.slice);
  }

  /** Ends the slice and says whether the watchdog had interrupted it. */
  end(): 'wall' | 'cpu' | undefined {
    if (Atomics.exchange(this.#words, WORD.slice, 0) >= 0) return undefined;
    return this.#words[WORD.verdict] === VERDICT.cpu ? 'cpu' : 'wall';
  }
}
