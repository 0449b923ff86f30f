import { unpackFiles, verifyArtifact } from '@alga/artifact';
import type { Bus } from '@alga/chassis';
import { AlgaError, channels } from '@alga/contracts';
import type { BlobStore } from '@alga/storage';
import type { JWK } from 'jose';
import type { FetchArtifact } from '../core/artifacts.ts';

const RESOLVE_DEADLINE_MS = 2_000;
/** A StarlingMonkey component is 12 MB; the largest artifact crosses a slow link in this. */
const DOWNLOAD_DEADLINE_MS = 10_000;
/** As the pack format allows: 128 MiB of files, and a little for names and sizes. */
const MAX_BLOB_BYTES = 129 * 1024 * 1024;

interface ArtifactParts {
  readonly bus: Pick<Bus, 'request'>;
  readonly blobs: BlobStore;
  readonly publicKeys: readonly JWK[];
  readonly onRejected: (contentHash: string, reason: string) => void;
}

/** Asks the registry where an artifact is, fetches and verifies it. Registry and store are believed nothing (I9). */
export function createArtifactFetch(parts: ArtifactParts): FetchArtifact {
  const rejected = (contentHash: string, reason: string): AlgaError => {
    parts.onRejected(contentHash, reason);
    return new AlgaError('artifact_rejected');
  };
  return async (contentHash) => {
    const where = await resolve(parts.bus, contentHash);
    if (where === undefined) throw rejected(contentHash, 'the registry does not know it');
    const blob = await parts.blobs.get(where.object, { maxBytes: MAX_BLOB_BYTES, deadlineMs: DOWNLOAD_DEADLINE_MS });
    if (blob === undefined) throw rejected(contentHash, 'it is not in the bundle store');
    const unpacked = unpackFiles(blob);
    if (!unpacked.ok) throw rejected(contentHash, unpacked.reason);
    const { signature } = where;
    const checked = await verifyArtifact({
      signature,
      files: unpacked.files,
      publicKeys: parts.publicKeys,
      contentHash,
    });
    if (!checked.ok) throw rejected(contentHash, checked.reason);
    const { entry, files } = checked.artifact;
    return { contentHash, entry, files };
  };
}

async function resolve(bus: ArtifactParts['bus'], contentHash: string) {
  try {
    return await bus.request(channels.artifactResolve, { contentHash }, { deadlineMs: RESOLVE_DEADLINE_MS });
  } catch (error) {
    if (error instanceof AlgaError && error.code === 'not_found') return undefined;
    throw error;
  }
}
