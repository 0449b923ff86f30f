import type { Bus } from '@alga/chassis';
import { AlgaError, channels } from '@alga/contracts';
import type { VersionStore } from '../ports/version-store.ts';

/** More at once than the connection pool serves in a request's deadline would only queue up. */
const MAX_IN_FLIGHT = 256;

/** Answers where the artifact of a version is and what was signed. */
export function bindArtifactChannel(bus: Bus, versions: VersionStore): void {
  bus.serve(
    channels.artifactResolve,
    async (request) => {
      const version =
        'contentHash' in request
          ? await versions.byContentHash(request.contentHash)
          : request.version === undefined
            ? await versions.latest(request.extensionId)
            : await versions.byVersion(request.extensionId, request.version);
      if (version === undefined) throw new AlgaError('not_found', 'No such version is published.');
      const { extensionId, contentHash, manifest, object, signature } = version;
      return { extensionId, version: version.version, contentHash, manifest, object, signature };
    },
    { maxInFlight: MAX_IN_FLIGHT },
  );
}
