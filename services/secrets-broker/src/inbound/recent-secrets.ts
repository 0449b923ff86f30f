import type { KnownSecrets } from '@alga/chassis';
import type { Secret } from '@alga/contracts';

/** How long after its last use a value is still kept out of the logs, in ms: longer than any log line about it can take. */
const KEPT_MS = 60_000;
const SWEEP_MS = 10_000;

/** Keeps values that pass through this process out of its logs for a bounded time (I3). */
export class RecentSecrets {
  readonly #known: KnownSecrets;
  readonly #lastUse = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(known: KnownSecrets) {
    this.#known = known;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  remember(secret: Secret): void {
    const value = secret.reveal();
    if (!this.#lastUse.has(value)) this.#known.add(value);
    this.#lastUse.set(value, performance.now());
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const limit = performance.now() - KEPT_MS;
    for (const [value, at] of this.#lastUse) {
      if (at > limit) continue;
      this.#lastUse.delete(value);
      this.#known.remove(value);
    }
  }
}
