import type { Reading } from '../core/secret-reading.ts';

/** As SECRET_PROVIDERS names them; also the kind of reference that each serves. */
export type ProviderName = 'vault' | 'file' | 'env';

/** A place where secrets live. Every implementation passes secret-provider.conformance.ts. */
export interface SecretProvider {
  /**
   * Reads one secret afresh; nothing is cached.
   * @param reference As in an install, for example `file:api_key`; of a kind that this provider serves.
   * @param signal Ends the wait; the read then fails as trouble.
   * @throws SourceTrouble when the source cannot say what it holds: unreachable, refused, malformed, too large, too slow.
   */
  read(reference: string, signal: AbortSignal): Promise<Reading>;

  /** This provider's reference for a name of the chain; undefined when it cannot hold such a name. */
  locate(chainName: string): string | undefined;
}
