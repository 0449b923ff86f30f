import type { HttpServer } from '@alga/chassis';
import { AlgaError, parse } from '@alga/contracts';
import type { Version } from '../core/version.ts';
import type { VersionStore } from '../ports/version-store.ts';
import type { authenticator } from './authenticate.ts';

const PAGE = 100;

interface CatalogueRoutes {
  readonly http: HttpServer;
  readonly authenticate: ReturnType<typeof authenticator>;
  readonly versions: VersionStore;
}

/** `GET /v1/extensions` and `GET /v1/extensions/:extensionId/versions`, for every valid API key. */
export function bindCatalogueRoutes({ http, authenticate, versions }: CatalogueRoutes): void {
  http.get('/v1/extensions', async (request) => {
    await authenticate(request.headers.authorization);
    const { after } = request.query as Record<string, unknown>;
    const page = await versions.extensions(after === undefined ? '' : identifier(after, 'after'), PAGE);
    return {
      extensions: page.map(({ extensionId, latest }) => ({ extensionId, latest: described(latest) })),
      ...(page.length < PAGE ? {} : { next: page.at(-1)?.extensionId }),
    };
  });

  http.get('/v1/extensions/:extensionId/versions', async (request) => {
    await authenticate(request.headers.authorization);
    const { extensionId } = request.params as Record<string, unknown>;
    const found = await versions.versions(identifier(extensionId, 'extensionId'), PAGE);
    if (found.length === 0) throw new AlgaError('not_found', 'No version of such an extension is published.');
    return { extensionId, versions: found.map(described) };
  });
}

function identifier(value: unknown, field: string): string {
  const parsed = parse('artifact-resolve-request', { extensionId: value });
  if (!parsed.ok || typeof value !== 'string') {
    throw new AlgaError('bad_request', undefined, { errors: [{ field, reason: 'is not an extension id' }] });
  }
  return value;
}

/** What anybody may know of a version; where its artifact lies and who published it stay inside. */
function described(version: Version) {
  const { title, description, runtime, capabilities, egress, secrets, config, limits } = version.manifest;
  return {
    version: version.version,
    title,
    ...(description === undefined ? {} : { description }),
    contentHash: version.contentHash,
    runtime,
    publishedAt: version.publishedAt.toISOString(),
    capabilities,
    egress,
    secrets,
    config,
    limits,
    imports: version.imports,
    sizes: { component: version.componentBytes, artifact: version.artifactBytes },
  };
}
