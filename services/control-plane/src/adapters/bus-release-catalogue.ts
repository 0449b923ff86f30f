import type { Bus } from '@alga/chassis';
import { AlgaError, type ArtifactResolveReply, channels, parseManifest } from '@alga/contracts';
import { refuse } from '../core/refusal.ts';
import type { ReleaseCatalogue } from '../ports/peers.ts';

const RESOLVE_DEADLINE_MS = 3_000;

/** Published versions, asked from the registry. */
export function busReleaseCatalogue(bus: Bus): ReleaseCatalogue {
  return {
    async resolve(extensionId, version) {
      const request = version === undefined ? { extensionId } : { extensionId, version };
      let reply: ArtifactResolveReply;
      try {
        reply = await bus.request(channels.artifactResolve, request, { deadlineMs: RESOLVE_DEADLINE_MS });
      } catch (error) {
        if (error instanceof AlgaError && (error.code === 'not_found' || error.code === 'extension_not_found')) {
          const wanted = version === undefined ? extensionId : `${extensionId} ${version}`;
          return refuse('extension_not_found', `The registry has no ${wanted}.`);
        }
        throw new AlgaError('unavailable', 'The registry does not answer.', { cause: error });
      }
      const parsed = parseManifest(reply.manifest);
      if (!parsed.ok) return refuse(parsed.code, undefined, { errors: parsed.errors });
      if (reply.extensionId !== extensionId || (version !== undefined && reply.version !== version)) {
        throw new AlgaError('internal', 'The registry answered with another version than the one asked for.');
      }
      return {
        kind: 'found',
        release: { extensionId, version: reply.version, contentHash: reply.contentHash, manifest: parsed.manifest },
      };
    },
  };
}
