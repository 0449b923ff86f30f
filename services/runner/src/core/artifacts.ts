import { AlgaError } from '@alga/contracts';
import { SingleFlight } from './single-flight.ts';
import type { Store } from './store.ts';

/** Code that a signature vouches for (I9), ready for the engine. */
export interface Artifact {
  readonly contentHash: string;
  readonly entry: string;
  readonly files: Map<string, Uint8Array>;
}

/** Fetches and verifies. @throws AlgaError `artifact_rejected`, or why it cannot be had now. */
export type FetchArtifact = (contentHash: string) => Promise<Artifact>;

/**
 * Verified artifacts by content hash; concurrent callers share one fetch. Only what verified is kept: an artifact that was
 * refused is looked at again, since publishing it anew repairs it.
 */
export function createArtifactSource(fetch: FetchArtifact, kept: Store<Artifact>) {
  const flights = new SingleFlight<Artifact>();
  return async (contentHash: string, deadlineMs: number): Promise<Artifact> => {
    const held = kept.get(contentHash);
    if (held !== undefined) return held;
    const { outcome } = flights.run(contentHash, async () => {
      const artifact = await fetch(contentHash);
      kept.set(contentHash, artifact);
      return artifact;
    });
    return within(outcome, deadlineMs);
  };
}

/** The fetch goes on for the others when one caller's time is up. */
async function within<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AlgaError('deadline_exceeded')), deadlineMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
