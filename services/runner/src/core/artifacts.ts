import { AlgaError } from '@alga/contracts';
import { SingleFlight } from './single-flight.ts';
import type { Store } from './store.ts';

/** Code that a signature vouches for (I9), ready for the engine. */
export interface Artifact {
  readonly contentHash: string;
  /** A component, or a core module of the old raw ABI. */
  readonly runtime: 'component' | 'legacy';
  /** What runs inside, as the registry detected it. */
  readonly engine: 'starlingmonkey' | 'quickjs' | 'native' | 'legacy';
  readonly entry: string;
  readonly files: Map<string, Uint8Array>;
  /** One per core module: the linear memory that it has the host make, in pages of 64 KiB. */
  readonly modules: readonly {
    readonly name: string;
    readonly memory: { readonly minPages: number; readonly maxPages: number } | null;
  }[];
  /** Whether an instance may be reset and used again (I4), else why not. */
  readonly pool: { readonly reusable: true } | { readonly reusable: false; readonly reason: string };
  /** The one of `files` that maps the script inside to its author's sources. */
  readonly sourceMap: string | null;
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
