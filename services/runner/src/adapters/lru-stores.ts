import type { KnownSecrets } from '@alga/chassis';
import { LRUCache } from 'lru-cache';
import type { Artifact } from '../core/artifacts.ts';
import type { Envelope } from '../core/envelope.ts';
import { type CachedSecrets, L1_TTL_MS } from '../core/secrets-cache.ts';
import type { Store } from '../core/store.ts';

/** Installs whose secrets are held at once. */
const MAX_INSTALLS = 1_000;
/** Envelopes live 60 s and are a few KB; beyond this their signatures are checked again. */
const MAX_ENVELOPES = 2_000;
/** About twenty StarlingMonkey components. */
const MAX_ARTIFACT_BYTES = 256 * 1024 * 1024;

/**
 * L1: what is in it is kept out of the logs, and leaves memory when its time is up whether anybody asks for it or not (I3).
 * Whether an entry may be used is not decided here: that is the version floor and the core's clock.
 */
export function secretsStore(knownSecrets: Pick<KnownSecrets, 'add' | 'remove'>): Store<CachedSecrets> {
  const cache = new LRUCache<string, CachedSecrets>({
    max: MAX_INSTALLS,
    ttl: L1_TTL_MS,
    ttlAutopurge: true,
    dispose: ({ values }) => {
      for (const secret of values.values()) knownSecrets.remove(secret.reveal());
    },
  });
  return {
    get: (key) => cache.get(key),
    set(key, entry) {
      for (const secret of entry.values.values()) knownSecrets.add(secret.reveal());
      cache.set(key, entry);
    },
    delete: (key) => cache.delete(key),
  };
}

export const envelopeStore = (): Store<Envelope> => new LRUCache<string, Envelope>({ max: MAX_ENVELOPES });

export const artifactStore = (): Store<Artifact> =>
  new LRUCache<string, Artifact>({
    maxSize: MAX_ARTIFACT_BYTES,
    sizeCalculation: ({ files }) => [...files.values()].reduce((sum, bytes) => sum + bytes.byteLength, 1),
  });
