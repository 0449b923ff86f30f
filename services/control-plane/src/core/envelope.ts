import { createHash } from 'node:crypto';
import { type EnvelopeClaims, type FieldError, parse, resolveLimits } from '@alga/contracts';
import { effectiveGrants } from './grants.ts';
import type { Install } from './install.ts';
import type { RandomBytes } from './random.ts';

/** How long an envelope is good for: one call, and no longer than a revoked grant may linger in flight. */
const ENVELOPE_LIFE_S = 60;
/** Clocks of two of our machines may differ by this much. */
const CLOCK_SKEW_S = 5;
const JTI_BYTES = 18;

export const ENVELOPE_ALGORITHM = 'Ed25519';
const ENVELOPE_TYPE = 'alga-envelope+jwt';
/** Longer than any envelope can become: 32 origins of 280 characters and all the rest. */
const MAX_TOKEN_CHARS = 16_384;

/** Turns claims into a token and back. Signing and checking signatures is all it does; what claims mean is decided here. */
export interface EnvelopeSigner {
  readonly keyId: string;
  /** A compact JWS over the claims. */
  sign(claims: EnvelopeClaims): Promise<string>;
  /** The signed payload, or nothing when the signature is not ours. */
  open(token: string): Promise<Uint8Array | undefined>;
}

/** The claims that let one call run: what the manifest declares AND the tenant granted, no more (I6). */
export function envelopeClaims(install: Install, nowMs: number, random: RandomBytes): EnvelopeClaims {
  const { release } = install;
  const issuedAt = Math.floor(nowMs / 1000);
  return {
    iss: 'alga:control-plane',
    aud: 'alga:runner',
    iat: issuedAt,
    exp: issuedAt + ENVELOPE_LIFE_S,
    jti: Buffer.from(random(JTI_BYTES)).toString('base64url'),
    tenantId: install.tenantId,
    installId: install.installId,
    extensionId: release.extensionId,
    version: release.version,
    contentHash: release.contentHash,
    ...effectiveGrants(release.manifest, install.grants),
    // Once more: what was installed before a limit existed is stored without it.
    limits: resolveLimits(release.manifest.limits),
    configVersion: install.configVersion,
    configSha256: createHash('sha256').update(install.config).digest('hex'),
    sv: install.secretsVersion,
  };
}

export type CheckedEnvelope =
  | { readonly kind: 'valid'; readonly claims: EnvelopeClaims }
  | { readonly kind: 'invalid'; readonly errors: readonly FieldError[] }
  | { readonly kind: 'expired' };

const invalid = (field: string, reason: string): CheckedEnvelope => ({ kind: 'invalid', errors: [{ field, reason }] });

/** Everything about a token that can be judged before its signature: jose alone is too lenient. Absent: nothing wrong. */
export function checkEnvelopeShape(token: string, keyId: string): CheckedEnvelope | undefined {
  if (token.length > MAX_TOKEN_CHARS) return invalid('/token', 'is too long');
  const parts = token.split('.');
  const [header = ''] = parts;
  if (parts.length !== 3 || !parts.every(isCanonicalBase64url)) return invalid('/token', 'is not a compact JWS');
  const expected = envelopeHeader(keyId);
  // Our own signer writes the header; any other byte of it (jwk, jku, crit, alg none) was written by somebody else.
  if (header !== Buffer.from(JSON.stringify(expected)).toString('base64url')) {
    return invalid('/token', 'has a header that is not ours');
  }
  return undefined;
}

/** Claims whose signature has been checked, at a time. */
export function checkEnvelopeClaims(payload: unknown, nowMs: number): CheckedEnvelope {
  const parsed = parse('envelope-claims', payload);
  if (!parsed.ok) return { kind: 'invalid', errors: parsed.errors };
  const { iat, exp } = parsed.value;
  const now = nowMs / 1000;
  if (exp <= iat || exp - iat > ENVELOPE_LIFE_S) return invalid('/exp', `is not within ${ENVELOPE_LIFE_S} s of iat`);
  if (iat > now + CLOCK_SKEW_S) return invalid('/iat', 'is in the future');
  if (exp <= now - CLOCK_SKEW_S) return { kind: 'expired' };
  return { kind: 'valid', claims: parsed.value };
}

export const envelopeHeader = (keyId: string) => ({ alg: ENVELOPE_ALGORITHM, typ: ENVELOPE_TYPE, kid: keyId });

// Two texts for one signature would be two tokens for one authority.
const isCanonicalBase64url = (part: string): boolean =>
  part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;
