import type { SecretsMaterialReply } from '@alga/contracts';
import { effectiveGrants } from './grants.ts';
import type { Install, StoredSecret } from './install.ts';

/** What the broker judges a redemption by. A secret that the installed version does not declare stays here (I6). */
export function secretsMaterial(install: Install, stored: ReadonlyMap<string, StoredSecret>): SecretsMaterialReply {
  const { release } = install;
  return {
    tenantId: install.tenantId,
    installId: install.installId,
    extensionId: release.extensionId,
    status: install.status,
    contentHash: release.contentHash,
    capabilities: effectiveGrants(release.manifest, install.grants).capabilities,
    secretsVersion: install.secretsVersion,
    secrets: release.manifest.secrets.flatMap(({ key }) => {
      const secret = stored.get(key);
      return secret === undefined ? [] : [{ key, ...secret }];
    }),
  };
}
