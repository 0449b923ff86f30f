import type { IssuedKey, Principal, Scope } from '../core/api-key.ts';

export interface Tenant {
  readonly tenantId: string;
  readonly displayName: string;
  readonly createdAt: Date;
}

/** What is known of a key; the key itself is nowhere. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly revokedAt: Date | undefined;
  /** To the minute. */
  readonly lastUsedAt: Date | undefined;
}

/** Tenants and API keys. Every method throws AlgaError `unavailable` when there is no database. */
export interface AccessStore {
  /** The owner of a key that is neither revoked nor expired, by the key's hex SHA-256. */
  verify(keySha256: string): Promise<Principal | undefined>;
  putTenant(tenantId: string, displayName: string): Promise<{ readonly tenant: Tenant; readonly created: boolean }>;
  hasTenant(tenantId: string): Promise<boolean>;
  /** False: there is no such tenant. */
  addKey(tenantId: string, name: string, scopes: readonly Scope[], issued: IssuedKey): Promise<boolean>;
  listKeys(tenantId: string): Promise<readonly ApiKeyRecord[]>;
  /** False: the tenant has no such key. Revoking again changes nothing. */
  revokeKey(tenantId: string, keyId: string): Promise<boolean>;
  /** Makes the key of the operator's file the one operator key that is not listed under a tenant. */
  putOperatorKey(key: string): Promise<void>;
}
