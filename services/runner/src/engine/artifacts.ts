/** What became of loading an artifact into a sandbox. `message` is made of the artifact alone. */
export type LoadEnd = { readonly ok: true } | { readonly ok: false; readonly message: string };

/** Compiled artifacts kept per sandbox: sixteen StarlingMonkey components, or any number of small ones that a tenant has. */
const MAX_LOADED_BYTES = 192 * 1_048_576;
const MAX_LOADED = 128;

interface Load extends PromiseWithResolvers<LoadEnd> {
  readonly bytes: number;
}

/** Which artifacts a sandbox has been given, in the order of use. */
export class SandboxArtifacts {
  readonly #loads = new Map<string, Load>();
  #bytes = 0;
  /** Asked for and not yet answered. */
  readonly #asked = new Set<string>();

  /**
   * Settles when the sandbox has the artifact, asking for it where it was never asked for.
   * @param bytes of its files.
   * @param inUse keys that calls in flight need: these are not unloaded.
   */
  load(
    key: string,
    bytes: number,
    inUse: ReadonlySet<string>,
    ask: { readonly load: () => void; readonly unload: (key: string) => void },
  ): Promise<LoadEnd> {
    let load = this.#loads.get(key);
    if (load === undefined) {
      load = { ...Promise.withResolvers<LoadEnd>(), bytes };
      this.#bytes += bytes;
      this.#asked.add(key);
      ask.load();
    }
    this.#loads.delete(key);
    this.#loads.set(key, load);
    for (const [oldest, { bytes: freed }] of this.#loads) {
      if (this.#bytes <= MAX_LOADED_BYTES && this.#loads.size <= MAX_LOADED) break;
      if (inUse.has(oldest)) continue;
      this.#forget(oldest, freed);
      ask.unload(oldest);
    }
    return load.promise;
  }

  /** The sandbox has answered; false: nobody had asked. A refusal is not kept: the next call asks again. */
  settle(key: string, end: LoadEnd): boolean {
    if (!this.#asked.delete(key)) return false;
    const load = this.#loads.get(key);
    load?.resolve(end);
    if (!end.ok && load !== undefined) this.#forget(key, load.bytes);
    return true;
  }

  #forget(key: string, bytes: number): void {
    if (this.#loads.delete(key)) this.#bytes -= bytes;
  }

  /** Releases whoever waits: the sandbox is gone and its calls are settled otherwise. */
  abandon(): void {
    for (const load of this.#loads.values()) load.resolve({ ok: true });
    this.#loads.clear();
    this.#asked.clear();
  }
}
