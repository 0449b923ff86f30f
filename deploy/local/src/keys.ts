import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { createUser, fromSeed } from '@nats-io/nkeys';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { ensurePrivateDir, ensurePrivateFile, writePrivateFile } from './private-files.ts';

/** Who has an identity on the bus. All runners share one; `observer` is for tools that watch. */
export const busIdentities = ['gateway', 'control-plane', 'registry', 'secrets-broker', 'runner', 'observer'] as const;
export type BusIdentity = (typeof busIdentities)[number];

/** The Ed25519 key pairs that sign: private `<name>-<kind>.jwk`, public set `<name>-public.jwks`. */
const SIGNING_KEYS = [
  ['envelope-signing.jwk', 'envelope-public.jwks'],
  ['artifact-signing.jwk', 'artifact-public.jwks'],
  ['broker-signing.jwk', 'broker-public.jwks'],
  ['runner-identity.jwk', 'runner-public.jwks'],
] as const;

/** The file that holds the nkey seed of one identity, by name within the keys folder. */
export function seedFileName(identity: BusIdentity): string {
  return `nats-${identity}.nkey`;
}

export interface GeneratedKeys {
  readonly dir: string;
  /** Public user nkey of each identity on the bus. */
  readonly natsPublicKeys: ReadonlyMap<BusIdentity, string>;
}

/**
 * Fills the folder with every key the platform needs on one machine, each made once and kept from then on; files are 0600, the
 * folder 0700. Public halves are derived from the private ones each time, so that a pair never disagrees.
 */
export async function generateKeys(dir: string): Promise<GeneratedKeys> {
  await ensurePrivateDir(dir);
  const file = (name: string) => path.join(dir, name);
  const [seeds] = await Promise.all([
    Promise.all(
      busIdentities.map(async (identity) => [identity, await ensureSeed(file(seedFileName(identity)))] as const),
    ),
    ...SIGNING_KEYS.map(async ([privateName, publicName]) => {
      const key = await ensureJwk(file(privateName), makeSigningKey);
      await writePrivateFile(file(publicName), toJson({ keys: [publicHalf(key)] }));
    }),
    ensureJwk(file('broker-seal.jwk'), makeSealKey).then((key) =>
      writePrivateFile(file('broker-seal-public.jwk'), toJson(publicHalf(key))),
    ),
    ensurePrivateFile(file('keyring.json'), makeKeyring),
    ensurePrivateFile(file('internal-token'), () => randomKey()),
    // Another one: what a runner holds must not open the control-plane, which gives envelopes of any tenant.
    ensurePrivateFile(file('runner-token'), () => randomKey()),
    ensurePrivateFile(file('operator-key'), () => `alga_op_${randomKey()}`),
    ensurePrivateFile(file('webhook-secrets.json'), () =>
      toJson({ sources: [{ id: 'local', secrets: [randomKey()] }] }),
    ),
  ]);
  return { dir, natsPublicKeys: new Map(seeds) };
}

/** 32 random bytes: 43 characters of base64url. */
function randomKey(): string {
  return randomBytes(32).toString('base64url');
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Resolves to the public key of the seed in this file. */
async function ensureSeed(file: string): Promise<string> {
  const seed = await ensurePrivateFile(file, () => new TextDecoder().decode(createUser().getSeed()));
  return fromSeed(new TextEncoder().encode(seed.trim())).getPublicKey();
}

async function ensureJwk(file: string, make: () => Promise<JWK>): Promise<JWK> {
  return JSON.parse(await ensurePrivateFile(file, async () => toJson(await make()))) as JWK;
}

async function makeSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
  return describe(await exportJWK(privateKey), 'Ed25519', 'sig');
}

async function makeSealKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true });
  return describe(await exportJWK(privateKey), 'ECDH-ES', 'enc');
}

/** `kid` is the RFC 7638 thumbprint: the same for both halves, and nobody has to hand out names. */
async function describe(key: JWK, alg: string, use: 'sig' | 'enc'): Promise<JWK> {
  return { ...key, kid: await calculateJwkThumbprint(key), alg, use };
}

function publicHalf(key: JWK): JWK {
  const { d: _private, ...rest } = key;
  return rest;
}

function makeKeyring(): string {
  const id = `local-${randomBytes(4).toString('hex')}`;
  return toJson({ version: 1, active: id, keys: [{ id, key: randomKey() }] });
}
