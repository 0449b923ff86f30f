import type { InstallChanged, ResolvedManifest } from '@alga/contracts';
import { checkGrants, type Grants } from './grants.ts';
import type { InstallDetails, InstallStatus, Release, StoredSecret } from './install.ts';
import { checkConfig } from './install-config.ts';
import { type RandomBytes, randomName } from './random.ts';
import { type Refusal, refuse } from './refusal.ts';

/** What to write into an install; what is absent stays. */
export interface Patch {
  readonly release?: Release;
  /** Canonical JSON text. */
  readonly config?: string;
  readonly grants?: Grants;
  readonly status?: InstallStatus;
  readonly setSecret?: { readonly key: string; readonly secret: StoredSecret };
  readonly deleteSecret?: string;
}

export interface NewInstall {
  readonly installId: string;
  readonly release: Release;
  readonly config: string;
  readonly grants: Grants;
}

/** What to do about an install, decided from its present state. Every update raises the epoch, whatever it writes (I1). */
type Plan =
  | Refusal
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'create'; readonly install: NewInstall }
  | { readonly kind: 'update'; readonly change: InstallChanged['change']; readonly patch: Patch };

/** Decides under the install's row lock. `current` is absent when the tenant has no such install. */
export type Planner = (current: InstallDetails | undefined) => Plan;

const UNCHANGED: Plan = { kind: 'unchanged' };
const NOT_INSTALLED = refuse('extension_not_found');

/** All ciphertext of an install must fit into one message to the broker and its values into one reply to a runner. */
export const MAX_SEALED_CHARS = 512 * 1024;

/** Room for `-` and eight characters below the 64 of an identifier. */
const MAX_STEM = 55;

export function newInstallId(extensionId: string, random: RandomBytes): string {
  return `${extensionId.slice(0, MAX_STEM).replace(/-+$/, '')}-${randomName(8, random)}`;
}

/** The install as it shall be; equal to what is there: no change. */
export function planInstall(
  release: Release,
  wanted: { readonly config: Readonly<Record<string, unknown>>; readonly grants: Grants },
  random: RandomBytes,
): Planner {
  return (current) => {
    const grants = checkGrants(release.manifest, wanted.grants, '/grants');
    if (grants.kind === 'refused') return grants;
    const config = checkConfig(release.manifest, wanted.config);
    if (config.kind === 'refused') return config;
    if (current === undefined) {
      const installId = newInstallId(release.extensionId, random);
      return { kind: 'create', install: { installId, release, config: config.config, grants: grants.grants } };
    }
    const patch: Patch = {
      ...(sameRelease(current.release, release) ? {} : { release }),
      ...(current.config === config.config ? {} : { config: config.config }),
      ...(sameGrants(current.grants, grants.grants) ? {} : { grants: grants.grants }),
    };
    if (patch.release !== undefined) return { kind: 'update', change: 'version', patch };
    if (patch.grants !== undefined) return { kind: 'update', change: 'grants', patch };
    if (patch.config !== undefined) return { kind: 'update', change: 'config', patch };
    return UNCHANGED;
  };
}

export const planConfig =
  (values: Readonly<Record<string, unknown>>): Planner =>
  (current) => {
    if (current === undefined) return NOT_INSTALLED;
    const checked = checkConfig(current.release.manifest, values);
    if (checked.kind === 'refused') return checked;
    if (checked.config === current.config) return UNCHANGED;
    return { kind: 'update', change: 'config', patch: { config: checked.config } };
  };

export const planGrants =
  (wanted: Grants): Planner =>
  (current) => {
    if (current === undefined) return NOT_INSTALLED;
    const checked = checkGrants(current.release.manifest, wanted);
    if (checked.kind === 'refused') return checked;
    if (sameGrants(current.grants, checked.grants)) return UNCHANGED;
    return { kind: 'update', change: 'grants', patch: { grants: checked.grants } };
  };

/** Refuses a key that the manifest does not declare; asked before a value is sealed for it. */
export function checkSecretKey(manifest: ResolvedManifest, key: string): Refusal | undefined {
  if (manifest.secrets.some((declared) => declared.key === key)) return undefined;
  return refuse('secret_undeclared', `The manifest declares no secret ${key}.`, {
    errors: [{ field: '/secretKey', reason: `${key} is not declared in the manifest` }],
  });
}

/** Setting a secret is always a change: whether the value is the same, nobody here can know. */
export const planSecretSet =
  (installId: string, key: string, secret: StoredSecret): Planner =>
  (current) => {
    // Sealed for another install of the same extension, uninstalled meanwhile: its ciphertext would not open here.
    if (current === undefined || current.installId !== installId) return NOT_INSTALLED;
    const undeclared = checkSecretKey(current.release.manifest, key);
    if (undeclared !== undefined) return undeclared;
    const others = current.secrets.reduce((sum, other) => sum + (other.key === key ? 0 : other.ciphertextChars), 0);
    if (secret.kind === 'sealed' && others + secret.ciphertext.length > MAX_SEALED_CHARS) {
      return refuse('body_too_large', 'The sealed secrets of the install take too much room together.', {
        limit: MAX_SEALED_CHARS,
      });
    }
    return { kind: 'update', change: 'secrets', patch: { setSecret: { key, secret } } };
  };

/** A key that an earlier version declared can still be deleted. */
export const planSecretDelete =
  (key: string): Planner =>
  (current) => {
    if (current === undefined) return NOT_INSTALLED;
    if (current.secrets.some((set) => set.key === key)) {
      return { kind: 'update', change: 'secrets', patch: { deleteSecret: key } };
    }
    return checkSecretKey(current.release.manifest, key) ?? UNCHANGED;
  };

export const planStatus =
  (status: InstallStatus): Planner =>
  (current) => {
    if (current === undefined) return NOT_INSTALLED;
    if (current.status === status) return UNCHANGED;
    return { kind: 'update', change: status === 'active' ? 'resumed' : status, patch: { status } };
  };

const sameRelease = (a: Release, b: Release): boolean => a.version === b.version && a.contentHash === b.contentHash;

const sameGrants = (a: Grants, b: Grants): boolean =>
  sameItems(a.capabilities, b.capabilities) && sameItems(a.egress, b.egress);

const sameItems = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);
