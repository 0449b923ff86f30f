import { jsonFile, type Settings, url } from '@alga/chassis';
import type { JWK } from 'jose';

interface RegistryConfig {
  readonly databaseUrl: string;
  readonly signingKey: JWK & { readonly d: string };
}

export const settings: Settings<RegistryConfig> = {
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql']),
  signingKey: jsonFile('ARTIFACT_SIGNING_KEY_FILE', 'a private Ed25519 JWK with a kid', parseSigningKey),
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
