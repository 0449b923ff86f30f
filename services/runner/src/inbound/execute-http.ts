import { createHash, timingSafeEqual } from 'node:crypto';
import type { HttpServer } from '@alga/chassis';
import { AlgaError, channels, type Secret } from '@alga/contracts';
import type { Executor } from '../core/execute.ts';

const FRAME_TYPE = 'application/octet-stream';
/** The longest a guest may run, and time to start its sandbox; the envelope's limit is what ends it. */
const DEADLINE_MS = 40_000;

/**
 * `POST /v1/execute`: one frame in, one frame out, as on the bus, by the same code. Internal: the bearer token is the
 * platform's own, and the envelope in the frame is the authority here as there.
 */
export function serveExecuteHttp(http: HttpServer, executor: Executor, internalToken: Secret): void {
  const expected = digest(internalToken.reveal());
  // In a scope of its own: this route takes no other type, and no other route this one.
  http.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(FRAME_TYPE, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    scope.post(
      '/v1/execute',
      {
        // Before the body is read: a stranger sends none.
        onRequest: async (request) => {
          const [, token] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
          // Digests, so that neither content nor length shows in the time it takes.
          if (token === undefined || !timingSafeEqual(digest(token), expected)) throw new AlgaError('unauthenticated');
        },
      },
      async (request, reply) => {
        if (!Buffer.isBuffer(request.body)) throw new AlgaError('unsupported_media_type');
        const frame = channels.execute.request.decode(request.body);
        if (!frame.ok) throw new AlgaError('bad_request', undefined, { errors: frame.errors });
        const answer = await executor.execute(frame.value, DEADLINE_MS);
        const bytes = channels.execute.reply.encode(answer);
        return reply.type(FRAME_TYPE).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      },
    );
  });
}

const digest = (token: string): Buffer => createHash('sha256').update(token).digest();
