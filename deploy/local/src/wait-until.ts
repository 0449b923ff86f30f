import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** How long to go on asking, in ms. */
  readonly deadlineMs: number;
  /** Pause between two questions, in ms. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks `condition` until it says true. Resolves to false when the deadline passes first, also while an answer is outstanding, so
 * that the caller, who knows what was awaited, words the failure. Rejects with the signal's reason when aborted, and with whatever
 * the condition throws.
 */
export async function waitUntil(condition: () => Promise<boolean> | boolean, options: WaitOptions): Promise<boolean> {
  const { deadlineMs, everyMs = 25, signal } = options;
  signal?.throwIfAborted();
  const over = new AbortController();
  const bounds = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const end = performance.now() + deadlineMs;
  const deadline = delay(deadlineMs, false, { signal: bounds }).catch(() => {
    signal?.throwIfAborted();
    return false;
  });
  const answered = async () => {
    while (!over.signal.aborted) {
      if (await condition()) return true;
      if (performance.now() >= end) return false;
      await delay(everyMs, undefined, { signal: bounds }).catch(() => undefined);
      signal?.throwIfAborted();
    }
    return false;
  };
  try {
    return await Promise.race([answered(), deadline]);
  } finally {
    over.abort();
  }
}
