import { type Limits, resolveLimits } from '@alga/contracts';
import { effectiveGrants, type Grants } from './grants.ts';
import type { InstallDetails, InstallStatus } from './install.ts';

/** Whether a secret is there; neither its value nor its ciphertext nor where it lives (I3). */
interface SecretView {
  readonly key: string;
  /** Whether the installed version asks for it. */
  readonly declared: boolean;
  readonly required: boolean;
  readonly status: 'set' | 'missing';
  readonly kind?: 'sealed' | 'reference';
  readonly updatedAt?: string;
}

/** An install as the admin API shows it. Times are RFC 3339, UTC. */
interface InstallView {
  readonly tenantId: string;
  readonly installId: string;
  readonly extensionId: string;
  readonly title: string;
  readonly version: string;
  readonly contentHash: string;
  /** `legacy`: a core module of the old raw ABI, deprecated. */
  readonly runtime: 'component' | 'legacy';
  /** Of one call, complete; a runner may allow less. */
  readonly limits: Limits;
  readonly status: InstallStatus;
  readonly config: unknown;
  readonly configVersion: number;
  readonly secretsVersion: number;
  readonly declared: Grants;
  readonly grants: Grants;
  /** What calls may do: declared and granted. */
  readonly effective: Grants;
  readonly secrets: readonly SecretView[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

export function installView(install: InstallDetails): InstallView {
  const { manifest, extensionId, version, contentHash } = install.release;
  return {
    tenantId: install.tenantId,
    installId: install.installId,
    extensionId,
    title: manifest.title,
    version,
    contentHash,
    runtime: manifest.runtime,
    limits: resolveLimits(manifest.limits),
    status: install.status,
    config: JSON.parse(install.config),
    configVersion: install.configVersion,
    secretsVersion: install.secretsVersion,
    declared: { capabilities: manifest.capabilities, egress: manifest.egress },
    grants: install.grants,
    effective: effectiveGrants(manifest, install.grants),
    secrets: secretViews(install),
    createdAt: install.createdAt.toISOString(),
    updatedAt: install.updatedAt.toISOString(),
  };
}

function secretViews({ release, secrets }: InstallDetails): SecretView[] {
  const set = new Map(secrets.map((secret) => [secret.key, secret]));
  const declared = new Map(release.manifest.secrets.map((secret) => [secret.key as string, secret.required ?? true]));
  return [...new Set([...declared.keys(), ...set.keys()])].sort().map((key) => {
    const state = set.get(key);
    return {
      key,
      declared: declared.has(key),
      required: declared.get(key) ?? false,
      ...(state === undefined
        ? { status: 'missing' }
        : { status: 'set', kind: state.kind, updatedAt: state.updatedAt.toISOString() }),
    };
  });
}
