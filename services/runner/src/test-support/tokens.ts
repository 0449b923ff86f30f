import { createHash, randomBytes } from 'node:crypto';
import { type EnvelopeClaims, resolveLimits } from '@alga/contracts';
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';

export interface KeyPair {
  readonly kid: string;
  readonly privateJwk: JWK;
  readonly publicJwk: JWK;
}

export async function signingKeys(): Promise<KeyPair> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  const { d: _private, ...rest } = jwk;
  return { kid, privateJwk: { ...jwk, kid }, publicJwk: { ...rest, kid, alg: 'Ed25519', use: 'sig' } };
}

/** A compact JWS as the services of the platform write it; `header` overrides its members. */
export async function sign(keys: KeyPair, typ: string, payload: unknown, header: object = {}): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return new CompactSign(Buffer.from(text))
    .setProtectedHeader({ alg: 'Ed25519', typ, kid: keys.kid, ...header })
    .sign(await importJWK(keys.privateJwk, 'Ed25519'));
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const CONFIG = '{"region":"eu","nested":{"a":[1]},"__proto__":"plain"}';

/** Claims of a valid envelope, from now on for a minute. */
export function claims(overrides: Partial<EnvelopeClaims> = {}): EnvelopeClaims {
  const iat = Math.floor(Date.now() / 1000);
  return {
    iss: 'alga:control-plane',
    aud: 'alga:runner',
    iat,
    exp: iat + 60,
    jti: randomBytes(16).toString('base64url'),
    tenantId: 'acme',
    installId: 'inst-1',
    extensionId: 'fixture',
    version: '1.0.0',
    contentHash: `sha256:${'a'.repeat(64)}`,
    capabilities: [
      'config.read',
      'context.read',
      'http.fetch',
      'logging.write',
      'secrets.get',
      'secrets.list',
      'storage.read',
      'storage.write',
    ],
    egress: [],
    limits: resolveLimits({ timeoutMs: 5_000 }),
    configVersion: 3,
    configSha256: sha256(CONFIG),
    sv: 7,
    ...overrides,
  };
}

export const ENVELOPE_TYP = 'alga-envelope+jwt';
