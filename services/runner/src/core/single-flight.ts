/** At most one run of the work per key at a time; whoever asks meanwhile gets the same outcome. */
export class SingleFlight<T> {
  readonly #running = new Map<string, Promise<T>>();

  run(key: string, work: () => Promise<T>): { readonly outcome: Promise<T>; readonly joined: boolean } {
    const running = this.#running.get(key);
    if (running !== undefined) return { outcome: running, joined: true };
    const outcome = work().finally(() => this.#running.delete(key));
    this.#running.set(key, outcome);
    return { outcome, joined: false };
  }
}
