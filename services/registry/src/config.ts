import { jsonFile, type Setting, type Settings, url } from '@alga/chassis';
import type { JWK } from 'jose';

interface RegistryConfig {
  readonly databaseUrl: string;
  readonly signingKey: JWK & { readonly d: string };
  /** When new versions may no longer be legacy core modules; undefined: no end is set. */
  readonly legacyUploadsUntil: Date | undefined;
}

/** UTC, to the second. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

const legacyUploadsUntil: Setting<Date | undefined> = {
  env: 'LEGACY_UPLOADS_UNTIL',
  shape: 'a time in UTC as 2027-01-01T00:00:00Z',
  fallback: undefined,
  read(raw) {
    const value = new Date(raw);
    const isTime = INSTANT.test(raw) && !Number.isNaN(value.getTime());
    return isTime ? { ok: true, value } : { ok: false, reason: 'is not such a time' };
  },
};

export const settings: Settings<RegistryConfig> = {
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql']),
  signingKey: jsonFile('ARTIFACT_SIGNING_KEY_FILE', 'a private Ed25519 JWK with a kid', parseSigningKey),
  legacyUploadsUntil,
};

const KEY_PART = /^[A-Za-z0-9_-]{43}$/;
const KEY_ID = /^[A-Za-z0-9_-]{1,64}$/;

function parseSigningKey(json: unknown): RegistryConfig['signingKey'] {
  const { kty, crv, x, d, kid } = (json ?? {}) as Record<string, unknown>;
  if (kty !== 'OKP' || crv !== 'Ed25519') throw new Error('the key is not Ed25519');
  if (typeof x !== 'string' || !KEY_PART.test(x)) throw new Error('x is not a public key');
  if (typeof d !== 'string' || !KEY_PART.test(d)) throw new Error('d is not a private key');
  if (typeof kid !== 'string' || !KEY_ID.test(kid)) throw new Error('kid is missing');
  return { kty, crv, x, d, kid, alg: 'Ed25519' };
}
