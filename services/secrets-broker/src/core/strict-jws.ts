import { decodeJson } from '@alga/contracts';

/** A public Ed25519 key as a JWK, reduced to what verification needs. */
export interface VerifyKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
}

/** Key id -> key. A key that was retired is simply not in it. */
export type VerifyKeys = ReadonlyMap<string, VerifyKey>;

/** Checks nothing but the signature: the payload, or undefined when it does not verify. */
export type VerifySignature = (token: string, key: VerifyKey) => Promise<Uint8Array | undefined>;

type CheckedJws =
  | { readonly ok: true; readonly kid: string; readonly payload: unknown }
  | { readonly ok: false; readonly reason: string };

/** Room for 32 capabilities and 32 egress origins; anything near a megabyte never reaches a decoder. */
const MAX_TOKEN_LENGTH = 16_384;
const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/;
const HEADER_NAMES = 'alg,kid,typ';

const refuse = (reason: string): CheckedJws => ({ ok: false, reason });

/**
 * A compact JWS of ours, checked before and beyond what a library checks: length and shape first, one
 * spelling per token, exactly the three header parameters, one algorithm, one type, a key that we hold.
 */
export async function checkJws(
  token: string,
  expected: { readonly typ: string; readonly keys: VerifyKeys },
  verify: VerifySignature,
): Promise<CheckedJws> {
  if (token.length > MAX_TOKEN_LENGTH) return refuse('is too long');
  if (!COMPACT.test(token)) return refuse('is not a compact JWS with an Ed25519 signature');
  // Base64url leaves unused low bits: without this, one token has several spellings.
  const segments = token.split('.');
  if (!segments.every((segment) => Buffer.from(segment, 'base64url').toString('base64url') === segment)) {
    return refuse('is not spelled canonically');
  }
  const header = canonicalJson(segments[0] ?? '');
  if (header === undefined || typeof header !== 'object' || header === null) return refuse('has a malformed header');
  if (Object.keys(header).sort().join(',') !== HEADER_NAMES)
    return refuse('must have exactly the headers alg, kid, typ');
  const { alg, kid, typ } = header as { alg: unknown; kid: unknown; typ: unknown };
  if (alg !== 'Ed25519') return refuse('has another algorithm than Ed25519');
  if (typ !== expected.typ) return refuse(`is not of type ${expected.typ}`);
  const key = typeof kid === 'string' ? expected.keys.get(kid) : undefined;
  if (key === undefined || typeof kid !== 'string') return refuse('names an unknown key');
  if ((await verify(token, key)) === undefined) return refuse('has a signature that does not verify');
  const payload = canonicalJson(segments[1] ?? '');
  return payload === undefined ? refuse('has malformed claims') : { ok: true, kid, payload };
}

/** JSON exactly as JSON.stringify writes it: no repeated members, no trailing bytes, no numbers beyond their range. */
function canonicalJson(segment: string): unknown {
  const bytes = Buffer.from(segment, 'base64url');
  const parsed = decodeJson(bytes);
  return parsed.ok && JSON.stringify(parsed.value) === bytes.toString('utf8') ? parsed.value : undefined;
}

/** Tolerated difference between our clock and the issuer's, in seconds. */
const SKEW_S = 5;

type Lifetime = 'current' | 'expired' | { readonly refused: string };

/** Judges `iat` and `exp` (seconds) at `nowMs`. Exactly SKEW_S late or early still counts. */
export function judgeLifetime(claims: { iat: number; exp: number }, maxLifeS: number, nowMs: number): Lifetime {
  const now = Math.floor(nowMs / 1000);
  if (claims.exp <= claims.iat) return { refused: 'ends before it begins' };
  if (claims.exp - claims.iat > maxLifeS) return { refused: `lives longer than ${maxLifeS} s` };
  if (claims.iat > now + SKEW_S) return { refused: 'was issued in the future' };
  return now > claims.exp + SKEW_S ? 'expired' : 'current';
}
