import type { StorageEntry } from 'alga:extension/types@1.0.0';
import { decodeText, encodeText } from './bytes.ts';
import { callHost, isStorageErrorCode, StorageError } from './errors.ts';

type Host = Pick<typeof import('alga:extension/storage@1.0.0'), 'get' | 'put' | 'delete' | 'listEntries'>;

export interface StoredEntry {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Grows with every write. Pass it as `ifRevision` to write only over what was read. */
  readonly revision: bigint;
  /** Milliseconds since the Unix epoch; undefined where it never expires. */
  readonly expiresAt: number | undefined;
  text(): string;
  /** @throws SyntaxError where the value is not JSON. */
  json<T = unknown>(): T;
}

export interface PutOptions {
  /** Write only where this is the current revision; 0n = only where nothing is stored. */
  readonly ifRevision?: bigint;
  /** Seconds from now until the entry is gone. */
  readonly ttlSeconds?: number;
}

/** Key-value storage that belongs to the install. */
export interface StorageClient {
  /** The entry, or undefined where there is none. @throws StorageError */
  get(key: string): Promise<StoredEntry | undefined>;
  /** Stores text or bytes; returns the new revision. @throws StorageError with the code conflict where `ifRevision` is not current. */
  put(key: string, value: string | Uint8Array, options?: PutOptions): Promise<bigint>;
  /** Stores a value as JSON; returns the new revision. @throws StorageError */
  putJson(key: string, value: unknown, options?: PutOptions): Promise<bigint>;
  /** @throws StorageError with the code missing where there is nothing to delete. */
  delete(key: string, options?: Pick<PutOptions, 'ifRevision'>): Promise<void>;
  /** One page of the entries whose key starts with `prefix`, in key order; `limit` is 1 to 100. @throws StorageError */
  list(options?: {
    readonly prefix?: string;
    readonly cursor?: string;
    readonly limit?: number;
  }): Promise<{ readonly entries: StoredEntry[]; readonly nextCursor: string | undefined }>;
}

const PAGE_SIZE = 100;

export const storageClient = (host: Host): StorageClient => {
  const call = <Result>(key: string | undefined, operation: () => Result): Result =>
    callHost(operation, isStorageErrorCode, (code) => new StorageError(code, key));
  const put: StorageClient['put'] = async (key, value, options = {}) => {
    const bytes = typeof value === 'string' ? encodeText(value) : value;
    return call(key, () => host.put(key, bytes, options.ifRevision, options.ttlSeconds));
  };
  return {
    get: async (key) => {
      try {
        return entry(call(key, () => host.get(key)));
      } catch (error) {
        if (error instanceof StorageError && error.code === 'missing') return undefined;
        throw error;
      }
    },
    put,
    putJson: async (key, value, options) => {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError(`storage.putJson("${key}"): the value has no JSON form`);
      return put(key, text, options);
    },
    delete: async (key, options = {}) => call(key, () => host.delete(key, options.ifRevision)),
    list: async ({ prefix = '', cursor, limit = PAGE_SIZE } = {}) => {
      const page = call(undefined, () => host.listEntries(prefix, cursor, limit));
      return { entries: page.entries.map(entry), nextCursor: page.nextCursor };
    },
  };
};

function entry(stored: StorageEntry): StoredEntry {
  return {
    key: stored.key,
    bytes: stored.value,
    revision: stored.revision,
    expiresAt: stored.expiresAt === undefined ? undefined : Number(stored.expiresAt),
    text: () => decodeText(stored.value),
    json: <T>() => JSON.parse(decodeText(stored.value)) as T,
  };
}
