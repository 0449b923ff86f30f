import { parseReference } from '../core/reference.ts';
import { type Reading, SourceTrouble } from '../core/secret-reading.ts';
import type { ProviderName, SecretProvider } from '../ports/secret-provider.ts';

/** All configured providers as one: a `chain:` reference asks them in order, any other goes to its provider alone. */
export class ChainedProvider implements SecretProvider {
  readonly #providers: ReadonlyMap<ProviderName, SecretProvider>;

  /** In the order in which the chain asks. */
  constructor(providers: ReadonlyMap<ProviderName, SecretProvider>) {
    this.#providers = providers;
  }

  async read(reference: string, signal: AbortSignal): Promise<Reading> {
    const parsed = parseReference(reference);
    if (parsed === undefined) throw new SourceTrouble('chain', 'the reference cannot be read');
    if (parsed.kind === 'chain') return this.#readChain(parsed.name, signal);
    const provider = this.#providers.get(parsed.kind);
    if (provider === undefined)
      throw new SourceTrouble('chain', `no provider for ${parsed.kind} references is configured`);
    return provider.read(reference, signal);
  }

  locate(chainName: string): string {
    return `chain:${chainName}`;
  }

  // Trouble ends the search: the next provider might hold an older value, or one that somebody planted.
  async #readChain(name: string, signal: AbortSignal): Promise<Reading> {
    for (const provider of this.#providers.values()) {
      const own = provider.locate(name);
      if (own === undefined) continue;
      const reading = await provider.read(own, signal);
      if (reading.outcome === 'found') return reading;
    }
    return { outcome: 'not_found' };
  }
}
