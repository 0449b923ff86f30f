import { AlgaError } from '@alga/contracts';
import { issueApiKey, refuseScopes } from '../core/api-key.ts';
import type { RandomBytes } from '../core/random.ts';
import { toError } from '../core/refusal.ts';
import type { AccessStore, ApiKeyRecord } from '../ports/access-store.ts';
import type { AdminRouter } from './admin-router.ts';

interface TenantRouteDependencies {
  readonly access: AccessStore;
  readonly nowMs: () => number;
  readonly random: RandomBytes;
}

/** Tenants and their API keys. */
export function tenantRoutes(router: AdminRouter, { access, nowMs, random }: TenantRouteDependencies): void {
  router.onBody('PUT', '', ['tenantId'], 'admin-tenant-put', async ({ path, body, reply }) => {
    const { tenant, created } = await access.putTenant(path.tenantId, body.displayName);
    return reply.code(created ? 201 : 200).send({ ...tenant, createdAt: tenant.createdAt.toISOString() });
  });

  router.onBody('POST', '/api-keys', ['tenantId'], 'admin-api-key-create', async ({ principal, path, body, reply }) => {
    const refused = refuseScopes(principal, body.scopes);
    if (refused !== undefined) throw toError(refused);
    const issued = issueApiKey(body.expiresInDays, nowMs(), random);
    if (!(await access.addKey(path.tenantId, body.name, body.scopes, issued))) throw noTenant();
    return reply.code(201).send({ keyId: issued.keyId, key: issued.key, expiresAt: issued.expiresAt?.toISOString() });
  });

  router.on('GET', '/api-keys', ['tenantId'], async ({ path }) => {
    if (!(await access.hasTenant(path.tenantId))) throw noTenant();
    return { apiKeys: (await access.listKeys(path.tenantId)).map(toView) };
  });

  router.on('DELETE', '/api-keys/:keyId', ['tenantId', 'keyId'], async ({ path, reply }) => {
    if (!(await access.revokeKey(path.tenantId, path.keyId))) {
      throw new AlgaError('not_found', 'The tenant has no such API key.');
    }
    return reply.code(204).send();
  });
}

const noTenant = (): AlgaError => new AlgaError('not_found', 'There is no such tenant.');

const toView = ({ createdAt, expiresAt, revokedAt, lastUsedAt, ...record }: ApiKeyRecord) => ({
  ...record,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString(),
  revokedAt: revokedAt?.toISOString(),
  lastUsedAt: lastUsedAt?.toISOString(),
});
