import type { KnownSecrets } from '@alga/chassis';
import { AlgaError, type Messages, Secret } from '@alga/contracts';
import { refuseReference } from '../core/api-key.ts';
import { checkSecretKey, planSecretDelete, planSecretSet } from '../core/change.ts';
import type { StoredSecret } from '../core/install.ts';
import { toError } from '../core/refusal.ts';
import type { InstallStore } from '../ports/install-store.ts';
import type { SecretSealer } from '../ports/peers.ts';
import type { AdminRouter } from './admin-router.ts';
import type { ChangeInstall } from './change-install.ts';

/** A secret value as UTF-8, in bytes. */
const MAX_SECRET_BYTES = 64 * 1024;

interface SecretRouteDependencies {
  readonly installs: InstallStore;
  readonly sealer: SecretSealer;
  readonly change: ChangeInstall;
  readonly knownSecrets: KnownSecrets;
}

const SECRET = ['tenantId', 'extensionId', 'secretKey'] as const;
const URL = '/installs/:extensionId/secrets/:secretKey';

/** Secrets, write-only: no route reads one, and none answers with more than the new epoch. */
export function secretRoutes(
  router: AdminRouter,
  { installs, sealer, change, knownSecrets }: SecretRouteDependencies,
): void {
  router.onBody('PUT', URL, SECRET, 'admin-secret-put', async ({ principal, path, body, reply }) => {
    const { tenantId, extensionId, secretKey } = path;
    const refused = body.reference === undefined ? undefined : refuseReference(principal);
    if (refused !== undefined) throw toError(refused);
    if (body.value !== undefined) {
      const { value } = body;
      knownSecrets.add(value);
      reply.raw.once('close', () => knownSecrets.remove(value)); // a refusal is logged after this handler
    }
    const install = await installs.details(tenantId, extensionId);
    if (install === undefined) throw new AlgaError('extension_not_found');
    const undeclared = checkSecretKey(install.release.manifest, secretKey);
    if (undeclared !== undefined) throw toError(undeclared);
    const secret = await toStored(sealer, { tenantId, installId: install.installId, key: secretKey }, body);
    const outcome = await change(tenantId, extensionId, planSecretSet(install.installId, secretKey, secret));
    return { secretsVersion: outcome.install.secretsVersion };
  });

  router.on('DELETE', URL, SECRET, async ({ path }) => {
    const { install } = await change(path.tenantId, path.extensionId, planSecretDelete(path.secretKey));
    return { secretsVersion: install.secretsVersion };
  });
}

/** Sealed before the transaction begins: the broker's time must not be spent holding a row lock. */
async function toStored(
  sealer: SecretSealer,
  at: { readonly tenantId: string; readonly installId: string; readonly key: string },
  { value, reference }: Messages['admin-secret-put'],
): Promise<StoredSecret> {
  if (reference !== undefined) return { kind: 'reference', reference };
  if (value === undefined || !value.isWellFormed()) {
    throw new AlgaError('bad_request', undefined, { errors: [{ field: '/value', reason: 'is not valid Unicode' }] });
  }
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) {
    throw new AlgaError('body_too_large', `A secret may have ${MAX_SECRET_BYTES} bytes.`, { limit: MAX_SECRET_BYTES });
  }
  return sealer.seal(at.tenantId, at.installId, at.key, new Secret(value));
}
