import type { InstallChanged, Secret } from '@alga/contracts';
import type { Release, StoredSecret } from '../core/install.ts';
import type { Refusal } from '../core/refusal.ts';

/** The broker's sealing half: only it can open what it sealed. */
export interface SecretSealer {
  /** @throws AlgaError `secrets_unavailable` when the broker does not answer, `body_too_large`. */
  seal(tenantId: string, installId: string, key: string, value: Secret): Promise<StoredSecret>;
}

/** The registry's published versions. */
export interface ReleaseCatalogue {
  /** The newest version if none is named. @throws AlgaError `unavailable` when the registry does not answer. */
  resolve(extensionId: string, version: string | undefined): Promise<{ kind: 'found'; release: Release } | Refusal>;
}

/** Tells who caches an install that it changed. A hint: the version floor keeps reads fresh without it (I1). */
export interface InstallEvents {
  /** Never throws: what could not be published is logged. */
  announce(event: InstallChanged): Promise<void>;
}
