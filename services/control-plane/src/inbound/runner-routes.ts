import type { HttpServer } from '@alga/chassis';
import { AlgaError, type InstallConfigReply, parse, type Secret } from '@alga/contracts';
import { bearerCredential, sameCredential } from '../core/api-key.ts';
import { toError } from '../core/refusal.ts';
import { type ResolveDependencies, resolveInstall } from '../core/resolve-install.ts';

/** `POST /internal/runner/install-config`: install.resolve over HTTP, for callers that hold the internal token. */
export function runnerRoutes(http: HttpServer, resolve: ResolveDependencies, internalToken: Secret): void {
  http.route({
    method: 'POST',
    url: '/internal/runner/install-config',
    onRequest: async (request) => {
      const given = bearerCredential(request.headers.authorization);
      if (given === undefined || !sameCredential(given, internalToken.reveal())) {
        throw new AlgaError('unauthenticated', 'No valid internal token was given.');
      }
    },
    handler: async (request, reply) => {
      const body = parse('install-config-request', request.body ?? null);
      if (!body.ok) throw new AlgaError('bad_request', undefined, { errors: body.errors });
      const { tenant_id: tenantId, extension_id: extensionId } = body.value;
      const resolved = await resolveInstall(resolve, { tenantId, extensionId });
      if (resolved.kind === 'refused') throw toError(resolved);
      const install = resolved.reply;
      const answer: InstallConfigReply = {
        tenant_id: install.tenantId,
        extension_id: install.extensionId,
        install_id: install.installId,
        version: install.version,
        content_hash: install.contentHash,
        config: JSON.parse(install.config) as InstallConfigReply['config'],
        config_json: install.config,
        config_version: install.configVersion,
        limits: install.limits,
        secrets_envelope: install.secretsEnvelope,
      };
      return reply.header('cache-control', 'no-store').send(answer);
    },
  });
}
