import type { HttpServer } from '@alga/chassis';
import { AlgaError } from '@alga/contracts';
import { EXTENSIONS_PATH, readAddress } from '../core/address.ts';
import { readApiKey } from '../core/api-key.ts';
import { type ControlPlane, execute, type Runners, tenantOf } from '../core/calls.ts';
import { guestRequestHeaders } from '../core/request-headers.ts';
import { clientResponse } from './guest-response.ts';

/** CONNECT and TRACE are about the connection, not about an extension. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const NO_BODY = new Uint8Array(0);

interface Admission {
  readonly tenantId: string;
  readonly deadlineAt: number;
  readonly authMs: number;
}

/** Takes every call under `/api/ext/` to the runners, and the guest's answer back. */
export function bindExtensionRoutes(
  http: HttpServer,
  parts: { readonly controlPlane: ControlPlane; readonly runners: Runners; readonly now: () => number },
  requestTimeoutMs: number,
): void {
  const { controlPlane, now } = parts;
  const admissions = new WeakMap<object, Admission>();
  const bind = async (scope: HttpServer): Promise<void> => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body));

    // Before the body: a stranger's is not read.
    scope.addHook('onRequest', async (request, reply) => {
      const started = now();
      reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
      const key = readApiKey(request.raw.rawHeaders);
      if (!key.ok) throw new AlgaError('unauthenticated', key.reason);
      const tenantId = tenantOf(await controlPlane.verifyKey(key.keySha256, requestTimeoutMs));
      admissions.set(request, { tenantId, deadlineAt: started + requestTimeoutMs, authMs: now() - started });
    });

    scope.route({
      method: METHODS,
      url: '/*',
      handler: async (request, reply) => {
        const admission = admissions.get(request);
        if (admission === undefined) throw new AlgaError('unauthenticated');
        const { tenantId, deadlineAt } = admission;
        const address = readAddress(request.raw.url ?? '');
        if (!address.ok) throw new AlgaError('bad_request', undefined, { errors: [address.error] });
        const headers = guestRequestHeaders(request.raw.rawHeaders);
        if (!headers.ok) throw new AlgaError('bad_request', undefined, { errors: [headers.error] });
        const started = now();
        if (started >= deadlineAt) throw new AlgaError('request_timeout');
        const body = request.body instanceof Uint8Array ? request.body : NO_BODY;
        const { extensionId, url } = address;
        const guestRequest = { method: request.method, url, headers: headers.headers, hasBody: body.length > 0 };
        const outcome = await execute(
          { requestId: request.id, tenantId, extensionId, http: guestRequest, body, deadlineAt },
          parts,
        );
        if (!outcome.ok) throw outcome.error;
        const { resolveMs } = outcome;
        const timings = { auth: admission.authMs, resolve: resolveMs, execute: now() - started - resolveMs };
        const response = clientResponse(outcome.reply, timings);
        return reply.code(response.status).headers(response.headers).send(response.body);
      },
    });

    scope.setNotFoundHandler((request, reply) => {
      if (METHODS.includes(request.method)) throw new AlgaError('not_found');
      reply.header('allow', METHODS.join(', '));
      throw new AlgaError('method_not_allowed');
    });
  };
  void http.register(bind, { prefix: EXTENSIONS_PATH.slice(0, -1) });
}
