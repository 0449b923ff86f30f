import { PassThrough } from 'node:stream';
import type { HttpServer, Logger } from '@alga/chassis';
import { AlgaError } from '@alga/contracts';
import type { ReportStage } from '../core/checklist.ts';
import type { Publication } from '../core/publish.ts';
import type { Publisher } from '../core/version.ts';
import type { authenticator } from './authenticate.ts';
import { NDJSON, wantsProgress, writeProgress } from './progress.ts';
import { receipt } from './receipt.ts';
import { createTurnstile } from './turnstile.ts';

/** Uploads whose bodies are in memory at once: 4 x 64 MiB, and what one of them unpacks to. */
const MAX_UPLOADS = 4;
/** A publish takes 1 to 3 s; a client that waits for three others still gets its turn. */
const WAIT_MS = 20_000;

interface PublishRoutes {
  readonly http: HttpServer;
  readonly logger: Logger;
  readonly authenticate: ReturnType<typeof authenticator>;
  readonly publish: (upload: Uint8Array, publisher: Publisher, report: ReportStage) => Promise<Publication>;
}

/**
 * `POST /v1/bundles`. Who may not publish is turned away before a byte of the body is read. Who accepts
 * application/x-ndjson is told how it goes on.
 */
export async function bindPublishRoutes({ http, logger, authenticate, publish }: PublishRoutes): Promise<void> {
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
        const work = async (report: ReportStage) => {
          const since = performance.now();
          report({ stage: 'queue', state: 'begun' });
          const publication = await oneAtATime(() => {
            report({ stage: 'queue', state: 'passed', ms: Math.round(performance.now() - since) });
            return publish(upload, publisher, report);
          });
          if (!publication.ok) throw new AlgaError(publication.code, undefined, { errors: publication.errors });
          return receipt(publication, upload.byteLength);
        };
        if (!wantsProgress(request.headers.accept)) {
          const result = await work(() => {});
          return reply.code(result.created ? 201 : 200).send(result);
        }
        const lines = new PassThrough();
        void writeProgress({ lines, requestId: request.id, logger, work });
        return reply.type(NDJSON).send(lines);
      },
    );
  });
}
