/** What became of loading an artifact into a sandbox. `message` is made of the artifact alone. */
export type LoadEnd = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** Compiled artifacts kept per sandbox. A StarlingMonkey component is 12 MB of code. */
const MAX_LOADED = 8;

/** Which artifacts a sandbox has been given, in the order of use. */
export class SandboxArtifacts {
  readonly #loads = new Map<string, PromiseWithResolvers<LoadEnd>>();
  /** Asked for and not yet answered. */
  readonly #asked = new Set<string>();

  /**
   * Settles when the sandbox has the artifact, asking for it where it was never asked for.
   * @param inUse keys that calls in flight need: these are not unloaded.
   */
  load(
    key: string,
    inUse: ReadonlySet<string>,
    ask: { readonly load: () => void; readonly unload: (key: string) => void },
  ): Promise<LoadEnd> {
    let load = this.#loads.get(key);
    if (load === undefined) {
      load = Promise.withResolvers<LoadEnd>();
      this.#asked.add(key);
      ask.load();
    }
    this.#loads.delete(key);
    this.#loads.set(key, load);
    if (this.#loads.size > MAX_LOADED) {
      const oldest = [...this.#loads.keys()].find((candidate) => !inUse.has(candidate));
      if (oldest !== undefined && this.#loads.delete(oldest)) ask.unload(oldest);
    }
    return load.promise;
  }

  /** The sandbox has answered; false: nobody had asked. A refusal is not kept: the next call asks again. */
  settle(key: string, end: LoadEnd): boolean {
    if (!this.#asked.delete(key)) return false;
    this.#loads.get(key)?.resolve(end);
    if (!end.ok) this.#loads.delete(key);
    return true;
  }

  /** Releases whoever waits: the sandbox is gone and its calls are settled otherwise. */
  abandon(): void {
    for (const load of this.#loads.values()) load.resolve({ ok: true });
    this.#loads.clear();
    this.#asked.clear();
  }
}
