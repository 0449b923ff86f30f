import type { InstallResolveReply } from '@alga/contracts';
import { type EnvelopeSigner, envelopeClaims } from './envelope.ts';
import type { Install } from './install.ts';
import type { RandomBytes } from './random.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface ResolveDependencies {
  /** The tenant's install that is not uninstalled: one read, since every call of every extension waits for it. */
  readonly find: (tenantId: string, extensionId: string) => Promise<Install | undefined>;
  readonly signer: EnvelopeSigner;
  readonly nowMs: () => number;
  readonly random: RandomBytes;
}

type ResolvedInstall = { readonly kind: 'resolved'; readonly reply: InstallResolveReply } | Refusal;

/**
 * What a call to an extension may run with. One code path for the bus and for HTTP.
 * An unknown tenant and an unknown extension look alike, so that nobody can list tenants.
 */
export async function resolveInstall(
  { find, signer, nowMs, random }: ResolveDependencies,
  { tenantId, extensionId }: { readonly tenantId: string; readonly extensionId: string },
): Promise<ResolvedInstall> {
  const install = await find(tenantId, extensionId);
  if (install === undefined) return refuse('extension_not_found');
  if (install.status !== 'active') return refuse('install_suspended');
  const claims = envelopeClaims(install, nowMs(), random);
  const reply: InstallResolveReply = {
    tenantId: install.tenantId,
    installId: install.installId,
    extensionId: claims.extensionId,
    version: claims.version,
    contentHash: claims.contentHash,
    config: install.config,
    configVersion: install.configVersion,
    limits: claims.limits,
    secretsEnvelope: {
      token: await signer.sign(claims),
      version: claims.sv,
      expiresAt: claims.exp * 1000,
      keyId: signer.keyId,
    },
  };
  return { kind: 'resolved', reply };
}
