import { createCipheriv, createDecipheriv } from 'node:crypto';
import { Secret } from '@alga/contracts';

/** Whose secrets, and of which epoch: the additional authenticated data of an entry. */
export interface EntryIdentity {
  readonly tenantId: string;
  readonly installId: string;
  readonly secretsVersion: number;
}

const ALGORITHM = 'aes-256-gcm';
/** Format of the entry; a change of layout gets the next number and old entries are not found. */
const FORMAT = 1;
const VERSION_AT = 1;
const IV_AT = 9;
const IV_BYTES = 12;
const TAG_AT = IV_AT + IV_BYTES;
const TAG_BYTES = 16;
const HEADER_BYTES = TAG_AT + TAG_BYTES;

/**
 * An entry of the shared cache: format, version, IV, tag, ciphertext. Bound to tenant, install and version, so that an entry
 * which was swapped or rolled back does not open. `iv`: 12 bytes that this key has never seen.
 */
export function sealEntry(
  identity: EntryIdentity,
  values: ReadonlyMap<string, Secret>,
  dataKey: Uint8Array,
  iv: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(ALGORITHM, dataKey, iv).setAAD(associated(identity));
  const plain = Buffer.from(JSON.stringify([...values].map(([key, value]) => [key, value.reveal()])));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(FORMAT, 0);
  header.writeBigUInt64BE(BigInt(identity.secretsVersion), VERSION_AT);
  header.set(iv, IV_AT);
  header.set(cipher.getAuthTag(), TAG_AT);
  return Buffer.concat([header, sealed]);
}

/** The version that an entry claims, without opening it; undefined: not an entry of this format. */
export function claimedVersion(entry: Uint8Array): number | undefined {
  if (entry.length < HEADER_BYTES || entry[0] !== FORMAT) return undefined;
  const version = new DataView(entry.buffer, entry.byteOffset, entry.byteLength).getBigUint64(VERSION_AT);
  return version <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(version) : undefined;
}

/** Undefined: it is not the entry of this identity under this key. */
export function openEntry(
  identity: EntryIdentity,
  entry: Uint8Array,
  dataKey: Uint8Array,
): Map<string, Secret> | undefined {
  if (claimedVersion(entry) !== identity.secretsVersion) return undefined;
  try {
    const decipher = createDecipheriv(ALGORITHM, dataKey, entry.subarray(IV_AT, TAG_AT), { authTagLength: TAG_BYTES })
      .setAAD(associated(identity))
      .setAuthTag(entry.subarray(TAG_AT, HEADER_BYTES));
    const plain = Buffer.concat([decipher.update(entry.subarray(HEADER_BYTES)), decipher.final()]);
    const pairs = JSON.parse(plain.toString('utf8')) as [string, string][];
    plain.fill(0);
    return new Map(pairs.map(([key, value]) => [key, new Secret(value)]));
  } catch {
    return undefined; // forged, damaged or of another key: all the same to the caller
  }
}

const associated = ({ tenantId, installId, secretsVersion }: EntryIdentity): Buffer =>
  Buffer.from(`${tenantId}|${installId}|${secretsVersion}`);
