import { createHash } from 'node:crypto';
import { type EnvelopeClaims, parse } from '@alga/contracts';
import type { JwsOpener } from './jws.ts';
import type { Store } from './store.ts';

const ENVELOPE_TYP = 'alga-envelope+jwt';
/** As `compactJws` in the contracts. */
const MAX_TOKEN_CHARS = 16_384;
/** How far two clocks of the platform may differ, in seconds. */
const CLOCK_SKEW_S = 5;
const MAX_LIFE_S = 60;

/** A verified envelope: all the authority that a call has. */
export interface Envelope {
  readonly token: string;
  /** Hex; names the token where the token itself must not go. */
  readonly tokenSha256: string;
  readonly claims: EnvelopeClaims;
}

export type EnvelopeCheck =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly code: 'envelope_invalid' | 'envelope_expired'; readonly reason: string };

/** @returns why the claims do not hold at this time (seconds since the epoch), or undefined. */
export function windowFault(
  claims: { readonly iat: number; readonly exp: number },
  nowS: number,
  maxLifeS: number,
): { readonly expired: boolean; readonly reason: string } | undefined {
  if (claims.exp <= claims.iat) return { expired: false, reason: 'exp is not after iat' };
  if (claims.exp - claims.iat > maxLifeS) return { expired: false, reason: `lives longer than ${maxLifeS} s` };
  if (claims.iat > nowS + CLOCK_SKEW_S) return { expired: false, reason: 'iat is in the future' };
  if (claims.exp + CLOCK_SKEW_S < nowS) return { expired: true, reason: 'has expired' };
  return undefined;
}

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Verifies envelope tokens. A token's signature is checked once (`verified` remembers the claims under the token's hash);
 * its window is checked on every use. `nowMs` is the wall clock: the window was written by another machine's.
 */
export function createEnvelopeVerifier(parts: {
  readonly open: JwsOpener;
  readonly verified: Store<Envelope>;
  readonly nowMs: () => number;
}): (token: string) => Promise<EnvelopeCheck> {
  const { open, verified, nowMs } = parts;
  return async (token) => {
    if (token.length > MAX_TOKEN_CHARS) return invalid('is too long');
    const tokenSha256 = sha256Hex(token);
    let envelope = verified.get(tokenSha256);
    if (envelope === undefined) {
      const opened = await open(token, ENVELOPE_TYP, MAX_TOKEN_CHARS);
      if (!opened.ok) return invalid(opened.reason);
      const claims = parse('envelope-claims', opened.payload);
      if (!claims.ok) return invalid(`claim ${claims.errors[0]?.field ?? '/'} ${claims.errors[0]?.reason ?? ''}`);
      envelope = { token, tokenSha256, claims: claims.value };
    }
    const fault = windowFault(envelope.claims, nowMs() / 1000, MAX_LIFE_S);
    if (fault !== undefined) {
      verified.delete(tokenSha256);
      return fault.expired ? { ok: false, code: 'envelope_expired', reason: fault.reason } : invalid(fault.reason);
    }
    verified.set(tokenSha256, envelope);
    return { ok: true, envelope };
  };
}

/** Whether a call that began under this envelope may still redeem with it. */
export const hasExpired = (claims: EnvelopeClaims, nowMs: number): boolean => claims.exp + CLOCK_SKEW_S < nowMs / 1000;

const invalid = (reason: string): EnvelopeCheck => ({ ok: false, code: 'envelope_invalid', reason });
