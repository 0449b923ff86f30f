import type { HttpServer } from '@alga/chassis';
import { AlgaError } from '@alga/contracts';
import type { Check, Publication } from '../core/publish.ts';
import type { Publisher } from '../core/version.ts';
import type { authenticator } from './authenticate.ts';
import { createTurnstile } from './turnstile.ts';

/** Uploads whose bodies are in memory at once: 4 x 64 MiB, and what one of them unpacks to. */
const MAX_UPLOADS = 4;
/** A publish takes 1 to 3 s; a client that waits for three others still gets its turn. */
const WAIT_MS = 20_000;

interface PublishRoutes {
  readonly http: HttpServer;
  readonly authenticate: ReturnType<typeof authenticator>;
  readonly publish: (upload: Uint8Array, publisher: Publisher) => Promise<Publication>;
}

/** `POST /v1/bundles`. Who may not publish is turned away before a byte of the body is read. */
export async function bindPublishRoutes({ http, authenticate, publish }: PublishRoutes): Promise<void> {
  const oneAtATime = createTurnstile({ maxWaiting: MAX_UPLOADS - 1, waitMs: WAIT_MS });
  const publishers = new WeakMap<object, Publisher>();
  let uploads = 0;

  await http.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/zstd', { parseAs: 'buffer' }, (_, body, done) => done(null, body));
    scope.post(
      '/v1/bundles',
      {
        async onRequest(request, reply) {
          let gone = false;
          let admitted = false;
          reply.raw.once('close', () => {
            gone = true;
            if (admitted) uploads -= 1;
          });
          const identity = await authenticate(request.headers.authorization, ['publish', 'operator']);
          if (gone) throw new AlgaError('request_timeout');
          if (uploads >= MAX_UPLOADS) throw new AlgaError('overloaded', 'Other bundles are being uploaded.');
          uploads += 1;
          admitted = true;
          publishers.set(request, {
            keyId: identity.keyId,
            tenantId: identity.tenantId,
            operator: identity.scopes.includes('operator'),
          });
        },
      },
      async (request, reply) => {
        const publisher = publishers.get(request);
        if (publisher === undefined) throw new AlgaError('unauthenticated');
        if (!(request.body instanceof Uint8Array)) throw new AlgaError('unsupported_media_type');
        const upload = request.body;
        const publication = await oneAtATime(() => publish(upload, publisher));
        if (!publication.ok) throw new AlgaError(publication.code, undefined, { errors: publication.errors });
        return reply.code(publication.created ? 201 : 200).send(receipt(publication, upload.byteLength));
      },
    );
  });
}

function receipt(publication: Publication & { readonly ok: true }, bundleBytes: number) {
  const { version, checks } = publication;
  const { extensionId, contentHash, imports, componentBytes, artifactBytes } = version;
  return {
    extensionId,
    version: version.version,
    contentHash,
    imports,
    sizes: { bundle: bundleBytes, component: componentBytes, artifact: artifactBytes },
    checks: checks satisfies readonly Check[],
  };
}
