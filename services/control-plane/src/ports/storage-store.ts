/** One stored value. Times in milliseconds since the epoch, by the database's clock. */
export interface StoredValue {
  readonly key: string;
  readonly value: Uint8Array;
  /** Rises with every write of any key and is never used twice, so that a deleted and rewritten key is told apart. */
  readonly revision: number;
  readonly expiresAt: number | undefined;
}

export interface StoragePut {
  readonly key: string;
  readonly value: Uint8Array;
  /** 0: the key must not exist. Absent: whatever it is. */
  readonly expectedRevision: number | undefined;
  readonly ttlSeconds: number | undefined;
}

export interface StoragePage {
  readonly entries: readonly StoredValue[];
  /** Absent: nothing follows. */
  readonly nextCursor: string | undefined;
}

/** Who asks: tenant and install, both from verified claims. */
export interface StorageOwner {
  readonly tenantId: string;
  readonly installId: string;
}

/**
 * The key-value store of each install. Every method throws AlgaError: `extension_not_found` (no such install, or uninstalled),
 * `install_suspended`, `unavailable` (no database).
 */
export interface StorageStore {
  get(owner: StorageOwner, key: string): Promise<StoredValue | undefined>;
  /** @throws AlgaError `body_too_large` with the limit when the value or the install's quota is exceeded. */
  put(
    owner: StorageOwner,
    entry: StoragePut,
  ): Promise<{ outcome: 'stored'; revision: number } | { outcome: 'conflict' }>;
  delete(
    owner: StorageOwner,
    key: string,
    expectedRevision: number | undefined,
  ): Promise<'deleted' | 'missing' | 'conflict'>;
  /** In byte order of the keys. */
  list(owner: StorageOwner, page: { prefix: string; after: string | undefined; limit: number }): Promise<StoragePage>;
}
