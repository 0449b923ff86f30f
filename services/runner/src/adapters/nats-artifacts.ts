import { unpackFiles, verifyArtifact } from '@alga/artifact';
import type { Bus } from '@alga/chassis';
import { AlgaError, channels } from '@alga/contracts';
import type { BlobStore } from '@alga/storage';
import type { JWK } from 'jose';
import type { FetchArtifact } from '../core/artifacts.ts';
import type { FolderArtifactCache, PackedArtifact } from './folder-artifact-cache.ts';

const RESOLVE_DEADLINE_MS = 2_000;
/** A StarlingMonkey component is 12 MB; the largest artifact crosses a slow link in this. */
const DOWNLOAD_DEADLINE_MS = 10_000;
/** As the pack format allows: 128 MiB of files, and a little for names and sizes. */
const MAX_BLOB_BYTES = 129 * 1024 * 1024;

interface ArtifactParts {
  readonly bus: Pick<Bus, 'request'>;
  readonly blobs: Pick<BlobStore, 'get'>;
  /** What was verified once; asked before the network is. */
  readonly cache: Pick<FolderArtifactCache, 'get' | 'put' | 'remove'>;
  readonly publicKeys: readonly JWK[];
  readonly onRejected: (contentHash: string, reason: string) => void;
}

/**
 * Reads an artifact from the disk, or asks the registry where it is and fetches it. Disk, registry and store are believed
 * nothing: whatever they give is verified alike (I9).
 */
export function createArtifactFetch(parts: ArtifactParts): FetchArtifact {
  const { bus, blobs, cache, publicKeys, onRejected } = parts;
  const rejected = (contentHash: string, reason: string): AlgaError => {
    onRejected(contentHash, reason);
    return new AlgaError('artifact_rejected');
  };
  return async (contentHash) => {
    const cached = await cache.get(contentHash);
    if (cached !== undefined) {
      const checked = await verify(contentHash, cached, publicKeys);
      if (checked.ok) return checked.artifact;
      onRejected(contentHash, `on disk: ${checked.reason}`);
      await cache.remove(contentHash);
    }
    const where = await resolve(bus, contentHash);
    if (where === undefined) throw rejected(contentHash, 'the registry does not know it');
    const blob = await blobs.get(where.object, { maxBytes: MAX_BLOB_BYTES, deadlineMs: DOWNLOAD_DEADLINE_MS });
    if (blob === undefined) throw rejected(contentHash, 'it is not in the bundle store');
    const packed = { signature: where.signature, blob };
    const checked = await verify(contentHash, packed, publicKeys);
    if (!checked.ok) throw rejected(contentHash, checked.reason);
    // Nobody waits for the disk. It cannot reject.
    void cache.put(contentHash, packed);
    return checked.artifact;
  };
}

async function verify(contentHash: string, { signature, blob }: PackedArtifact, publicKeys: readonly JWK[]) {
  const unpacked = unpackFiles(blob);
  return unpacked.ok ? verifyArtifact({ signature, files: unpacked.files, publicKeys, contentHash }) : unpacked;
}

async function resolve(bus: ArtifactParts['bus'], contentHash: string) {
  try {
    return await bus.request(channels.artifactResolve, { contentHash }, { deadlineMs: RESOLVE_DEADLINE_MS });
  } catch (error) {
    if (error instanceof AlgaError && error.code === 'not_found') return undefined;
    throw error;
  }
}
