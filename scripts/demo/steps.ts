/** One step of a run, for people on the terminal and for the JSON line. */
export interface StepResult {
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
  #details: string[] = [];

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /** A line of detail below the step that is running. */
  readonly detail = (line: string): void => {
    this.#details.push(line);
    this.#print(`      ${line}`);
  };

  /** @throws what the step throws, after it has been printed and recorded as failed. */
  async run<T>(name: string, step: () => Promise<T>): Promise<T> {
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
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

/** @throws StepFailed with the sentence unless the condition holds. */
export function must(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new StepFailed(sentence);
}
