import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type EnvelopeClaims, type RedeemProofClaims, resolveLimits } from '@alga/contracts';
import type { VerifyKeys } from '../core/strict-jws.ts';

/** A signing key as control-plane or a runner would hold it. */
export interface Signer {
  readonly kid: string;
  readonly keys: VerifyKeys;
  readonly publicX: string;
  /** A compact JWS; header and payload as given, so that a test can make any of them wrong. */
  sign(header: unknown, payload: unknown): string;
}

const encode = (part: unknown): string =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** With the given private key, or a fresh one. */
export function signer(kid: string, privateKey: KeyObject = generateKeyPairSync('ed25519').privateKey): Signer {
  const { x = '' } = privateKey.export({ format: 'jwk' });
  return {
    kid,
    publicX: x,
    keys: new Map([[kid, { kty: 'OKP', crv: 'Ed25519', x }]]),
    sign: (header, payload) => {
      const input = `${encode(header)}.${encode(payload)}`;
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
    },
  };
}

export const seconds = (ms: number): number => Math.floor(ms / 1000);

export function envelopeClaims(nowMs: number, change: Partial<EnvelopeClaims> = {}): EnvelopeClaims {
  const iat = seconds(nowMs);
  return {
    iss: 'alga:control-plane',
    aud: 'alga:runner',
    iat,
    exp: iat + 60,
    jti: randomBytes(16).toString('base64url'),
    tenantId: 'acme',
    installId: 'ticket-sync-1a2b3c4d',
    extensionId: 'ticket-sync',
    version: '1.0.0',
    contentHash: `sha256:${'ab'.repeat(32)}`,
    capabilities: ['secrets.get'],
    egress: [],
    limits: resolveLimits({ timeoutMs: 5_000 }),
    configVersion: 1,
    configSha256: 'cd'.repeat(32),
    sv: 3,
    ...change,
  };
}

export const envelopeHeader = (kid: string) => ({ alg: 'Ed25519', typ: 'alga-envelope+jwt', kid });
export const proofHeader = (kid: string) => ({ alg: 'Ed25519', typ: 'alga-redeem-proof+jwt', kid });

export function proofClaims(
  nowMs: number,
  binding: { token: string; subject: string; inbox: string; sealToX: string },
  change: Partial<RedeemProofClaims> = {},
): RedeemProofClaims {
  const iat = seconds(nowMs);
  return {
    iss: 'runner-1',
    aud: 'alga:secrets-broker',
    iat,
    exp: iat + 10,
    jti: randomBytes(16).toString('base64url'),
    requestId: 'request-0001',
    tokenSha256: createHash('sha256').update(binding.token).digest('hex'),
    subject: binding.subject,
    inbox: binding.inbox,
    want: 'values',
    sealTo: { kty: 'OKP', crv: 'X25519', x: binding.sealToX },
    ...change,
  };
}
