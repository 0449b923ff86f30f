import { interruption } from './interruption.ts';

/** One step of a run, for people on the terminal and for the JSON line. */
interface StepResult {
  readonly name: string;
  readonly ms: number;
  readonly ok: boolean;
}

/** A step is said to be under way when it has lasted this long. */
const PROGRESS_AFTER_MS = 1_000;

/** Runs steps one after the other and prints each with its time. */
export class Steps {
  readonly results: StepResult[] = [];
  readonly #print: (line: string) => void;
  readonly #interrupted: AbortSignal;
  readonly #interruption: Promise<never>;

  constructor(print: (line: string) => void, interrupted: AbortSignal) {
    this.#print = print;
    this.#interrupted = interrupted;
    this.#interruption = interruption(interrupted);
    this.#interruption.catch(() => {}); // no step may be running
  }

  /** A line of detail below the step that is running. What an abandoned step still says is not of interest. */
  readonly detail = (line: string): void => {
    if (!this.#interrupted.aborted) this.#print(`      ${line}`);
  };

  /**
   * An interruption ends the step at once, whatever it does: what it began is left to whoever ends the process.
   * @throws what the step throws, or the reason of the interruption, after the step has been printed and recorded as failed.
   */
  run<T>(name: string, step: () => Promise<T>): Promise<T> {
    return this.runToItsEnd(name, async () => {
      this.#interrupted.throwIfAborted();
      return Promise.race([step(), this.#interruption]);
    });
  }

  /** A step that must not be abandoned: it deals with an interruption itself, or cleans up after one. */
  async runToItsEnd<T>(name: string, step: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const progress = setInterval(() => {
      this.#print(`  ..  ${name} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
    }, PROGRESS_AFTER_MS * 5);
    const first = setTimeout(() => this.#print(`  ..  ${name}`), PROGRESS_AFTER_MS);
    let ok = false;
    try {
      const result = await step();
      ok = true;
      return result;
    } finally {
      clearInterval(progress);
      clearTimeout(first);
      const ms = Math.round(performance.now() - started);
      this.results.push({ name, ms, ok });
      this.#print(`  ${ok ? 'ok' : 'NO'}  ${name} (${ms} ms)`);
    }
  }
}

/** A step that did not hold: a sentence for the person at the terminal. */
class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

/** @throws StepFailed with the sentence unless the condition holds. */
export function must(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new StepFailed(sentence);
}
