import { AlgaError } from '@alga/contracts';

/** Lets one through at a time; the others wait in line. */
type Turnstile = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * @returns a turnstile. It throws AlgaError `overloaded` at once when `maxWaiting` are in line, and after `waitMs` to
 *   one who has not had a turn by then.
 */
export function createTurnstile({ maxWaiting, waitMs }: { maxWaiting: number; waitMs: number }): Turnstile {
  let busy = false;
  const line = new Set<() => void>();

  const turn = (): Promise<void> => {
    if (!busy) {
      busy = true;
      return Promise.resolve();
    }
    if (line.size >= maxWaiting) return Promise.reject(overloaded());
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer);
        line.delete(go);
        resolve();
      };
      const timer = setTimeout(() => {
        line.delete(go);
        reject(overloaded());
      }, waitMs);
      line.add(go);
    });
  };

  return async (work) => {
    await turn();
    try {
      return await work();
    } finally {
      const [next] = line;
      if (next === undefined) busy = false;
      else next(); // stays busy: the turn is handed over
    }
  };
}

const overloaded = () => new AlgaError('overloaded', 'Other bundles are being published.', { retryAfterMs: 5_000 });
