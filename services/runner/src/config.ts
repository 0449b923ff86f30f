import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { integer, jsonFile, list, optionalUrl, type Settings, secretFile, text } from '@alga/chassis';
import type { Secret } from '@alga/contracts';
import type { JWK } from 'jose';

interface RunnerConfig {
  runnerId: string;
  /** Absent: no shared cache. */
  redisUrl: string | undefined;
  identity: { readonly kid: string; readonly key: KeyObject };
  envelopeKeys: readonly JWK[];
  brokerKeys: readonly JWK[];
  artifactKeys: readonly JWK[];
  internalToken: Secret;
  egressPrivateOrigins: readonly string[];
  maxInFlight: number;
  maxSandboxes: number;
}

export const settings: Settings<RunnerConfig> = {
  runnerId: text('RUNNER_ID', {
    fallback: `runner-${randomBytes(6).toString('hex')}`,
    pattern: /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/,
    shape: 'lower-case letters, digits and dashes, at most 64',
  }),
  redisUrl: optionalUrl('REDIS_URL', ['redis', 'rediss']),
  identity: jsonFile('RUNNER_IDENTITY_KEY_FILE', 'an Ed25519 private key as a JWK with kid', privateKey),
  envelopeKeys: jsonFile('ENVELOPE_PUBLIC_KEYS_FILE', "the control-plane's public keys as a JWK set", publicKeys),
  brokerKeys: jsonFile('BROKER_PUBLIC_KEYS_FILE', "the secrets broker's public keys as a JWK set", publicKeys),
  artifactKeys: jsonFile('ARTIFACT_PUBLIC_KEYS_FILE', "the registry's public keys as a JWK set", publicKeys),
  internalToken: secretFile('INTERNAL_TOKEN_FILE'),
  egressPrivateOrigins: list(
    'EGRESS_PRIVATE_ORIGINS',
    /^https?:\/\/(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?$/,
    'origins, for example http://127.0.0.1:9000',
  ),
  maxInFlight: integer('MAX_IN_FLIGHT', { min: 1, max: 10_000, fallback: 64 }),
  maxSandboxes: integer('MAX_SANDBOXES', { min: 1, max: 1_000, fallback: 16 }),
};

const KEY_ID = /^[A-Za-z0-9_-]{1,64}$/;
/** 32 bytes, base64url. */
const KEY_TEXT = /^[A-Za-z0-9_-]{43}$/;

// The messages below name the rule: never what the file holds (I3).

/** Ends up as a KeyObject: unlike a JWK, it shows nothing when it is printed. */
function privateKey(json: unknown): RunnerConfig['identity'] {
  const { kty, crv, kid, x, d } = member(json);
  if (kty !== 'OKP' || crv !== 'Ed25519' || !is(KEY_TEXT, x) || !is(KEY_TEXT, d))
    throw new Error('not an Ed25519 private key');
  if (!is(KEY_ID, kid)) throw new Error('the key has no kid');
  return { kid, key: createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' }) };
}

function publicKeys(json: unknown): readonly JWK[] {
  const { keys } = member(json);
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('no keys');
  const parsed = keys.map((key: unknown): JWK => {
    const { kty, crv, kid, x, d } = member(key);
    // A runner that could sign what it verifies would be worth breaking into.
    if (d !== undefined) throw new Error('a private key where only public ones may be');
    if (kty !== 'OKP' || crv !== 'Ed25519' || !is(KEY_TEXT, x)) throw new Error('a key that is not Ed25519');
    if (!is(KEY_ID, kid)) throw new Error('a key without kid');
    return { kty, crv, kid, x };
  });
  if (new Set(parsed.map(({ kid }) => kid)).size !== parsed.length) throw new Error('two keys with one kid');
  return parsed;
}

function member(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw new Error('not an object');
  return value as Record<string, unknown>;
}

const is = (pattern: RegExp, value: unknown): value is string => typeof value === 'string' && pattern.test(value);
