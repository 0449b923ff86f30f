import { jsonFile, type Settings, secretFile, url } from '@alga/chassis';
import { Secret } from '@alga/contracts';
import type { ControlPlaneConfig } from './start.ts';

/** 32 bytes in base64url. */
const KEY_32 = /^[A-Za-z0-9_-]{43}$/;
const KEY_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A JWK's members, checked. Reasons name members, never their content. */
function octetKeyPair(json: unknown, curve: string): Map<string, string> {
  if (json === null || typeof json !== 'object') throw new TypeError('it is not an object');
  const members = new Map(
    Object.entries(json).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  if (members.get('kty') !== 'OKP' || members.get('crv') !== curve)
    throw new TypeError(`it is not an OKP key on ${curve}`);
  if (!KEY_32.test(members.get('x') ?? '')) throw new TypeError('x is not 32 bytes in base64url');
  return members;
}

function signingKey(json: unknown): Secret {
  const members = octetKeyPair(json, 'Ed25519');
  if (!KEY_32.test(members.get('d') ?? '')) throw new TypeError('d is not 32 bytes in base64url');
  if (!KEY_ID.test(members.get('kid') ?? '')) throw new TypeError('kid is not a key id');
  const kept = ['kty', 'crv', 'x', 'd', 'kid'].map((name) => [name, members.get(name)]);
  return new Secret(JSON.stringify(Object.fromEntries(kept)));
}

function sealKey(json: unknown): ControlPlaneConfig['brokerSealPublicKey'] {
  const members = octetKeyPair(json, 'X25519');
  if (members.has('d')) throw new TypeError('it holds a private key, which belongs to the broker alone');
  return { kty: 'OKP', crv: 'X25519', x: members.get('x') ?? '' };
}

export const settings: Settings<ControlPlaneConfig> = {
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql']),
  envelopeSigningKey: jsonFile('ENVELOPE_SIGNING_KEY_FILE', 'a JWK file with an Ed25519 private key', signingKey),
  brokerSealPublicKey: jsonFile('BROKER_SEAL_PUBLIC_KEY_FILE', 'a JWK file with an X25519 public key', sealKey),
  internalToken: secretFile('INTERNAL_TOKEN_FILE'),
  operatorKey: secretFile('OPERATOR_KEY_FILE'),
};
