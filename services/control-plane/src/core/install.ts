import type { InstallChanged, ResolvedManifest } from '@alga/contracts';
import type { Grants } from './grants.ts';

export type InstallStatus = InstallChanged['status'];

/** One published version, as it was when it was installed. */
export interface Release {
  readonly extensionId: string;
  readonly version: string;
  readonly contentHash: string;
  readonly manifest: ResolvedManifest;
}

/** An install as one read gives it: all that an envelope needs. */
export interface Install {
  readonly tenantId: string;
  readonly installId: string;
  readonly release: Release;
  readonly status: InstallStatus;
  /** The epoch: any change that a reader must see raises it (I1). */
  readonly secretsVersion: number;
  /** Canonical JSON text. */
  readonly config: string;
  readonly configVersion: number;
  readonly grants: Grants;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** That a secret is set, never what it is. */
export interface SecretState {
  readonly key: string;
  readonly kind: 'sealed' | 'reference';
  /** Characters of stored ciphertext; 0 for a reference. */
  readonly ciphertextChars: number;
  readonly updatedAt: Date;
}

/** An install with what an admin may know of its secrets. */
export interface InstallDetails extends Install {
  readonly secrets: readonly SecretState[];
}

/** A secret as it is stored: ciphertext of the broker, or where the value lives. Never a value (I3). */
export type StoredSecret =
  | { readonly kind: 'sealed'; readonly ciphertext: string; readonly keyId: string }
  | { readonly kind: 'reference'; readonly reference: string };
