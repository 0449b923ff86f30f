import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { integer, jsonFile, list, optionalUrl, type Settings, secretFile, text } from '@alga/chassis';
import { LIMIT_RANGES, type Secret } from '@alga/contracts';
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
  maxInFlightPerTenant: number;
  maxSandboxes: number;
  maxSandboxMemoryMb: number;
  maxTotalMemoryMb: number;
  /** Ceilings of this runner, whatever limits a version was published with. */
  maxGuestTimeoutMs: number;
  maxGuestCpuMs: number;
  maxGuestMemoryMb: number;
  artifactCacheDir: string;
  artifactCacheMb: number;
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
  maxInFlightPerTenant: integer('MAX_IN_FLIGHT_PER_TENANT', { min: 1, max: 10_000, fallback: 32 }),
  maxSandboxes: integer('MAX_SANDBOXES', { min: 1, max: 1_000, fallback: 16 }),
  maxSandboxMemoryMb: integer('MAX_SANDBOX_MEMORY_MB', { min: 256, max: 65_536, fallback: 1_024 }),
  maxTotalMemoryMb: integer('MAX_TOTAL_MEMORY_MB', { min: 256, max: 1_048_576, fallback: shareOfMemoryMb() }),
  maxGuestTimeoutMs: ceiling('MAX_GUEST_TIMEOUT_MS', LIMIT_RANGES.timeoutMs),
  maxGuestCpuMs: ceiling('MAX_GUEST_CPU_MS', LIMIT_RANGES.cpuMs),
  maxGuestMemoryMb: ceiling('MAX_GUEST_MEMORY_MB', LIMIT_RANGES.memoryMb),
  // Runners of one machine may share it: what is read from it is verified as if it came over the network.
  artifactCacheDir: text('ARTIFACT_CACHE_DIR', {
    shape: 'a path',
    fallback: join(tmpdir(), `alga-artifacts-${userName()}`),
  }),
  artifactCacheMb: integer('ARTIFACT_CACHE_MB', { min: 1, max: 1_048_576, fallback: 1_024 }),
};

/** Anywhere in the range that a manifest may ask for; the top of it unless set. */
function ceiling(name: string, { minimum, maximum }: (typeof LIMIT_RANGES)[keyof typeof LIMIT_RANGES]) {
  return integer(name, { min: minimum, max: maximum, fallback: maximum });
}

/** Of what the container or the machine has, three quarters: the rest is the runner's own and the kernel's. */
function shareOfMemoryMb(): number {
  const available = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
  return Math.max(256, Math.floor((available * 0.75) / 1_048_576));
}

// Another user's folder could not be written.
function userName(): string {
  return String(process.getuid?.() ?? 'user');
}

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
