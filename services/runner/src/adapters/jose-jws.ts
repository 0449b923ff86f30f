import { compactVerify, errors, importJWK, type JWK } from 'jose';
import type { JwsOpener } from '../core/jws.ts';

const ALG = 'Ed25519';
const SIGNATURE_BYTES = 64;
const MAX_HEADER_CHARS = 512;

/**
 * Opens tokens signed by one of the keys. jose alone would accept more than one spelling of a token, and claims of any
 * shape (measured): length, spelling and header are judged here before it sees them.
 */
export function createJwsOpener(publicKeys: readonly JWK[]): JwsOpener {
  // A Map: a kid is input.
  const keys = new Map(publicKeys.map((jwk) => [jwk.kid, importJWK(jwk, ALG)]));
  return async (token, typ, maxChars) => {
    if (token.length > maxChars) return refuse('is too long');
    const segments = token.split('.');
    if (segments.length !== 3 || !segments.every(isCanonical)) return refuse('is not a canonical compact JWS');
    const [header = '', payload = '', signature = ''] = segments;
    if (header.length > MAX_HEADER_CHARS) return refuse('has too long a header');
    if (Buffer.from(signature, 'base64url').length !== SIGNATURE_BYTES)
      return refuse('has a signature of another length');
    const kid = keyIdOf(jsonOf(header), typ);
    if (kid === undefined) return refuse(`has a header that is not exactly alg, typ and kid for ${typ}`);
    const key = keys.get(kid);
    if (key === undefined) return refuse('is signed with an unknown key');
    try {
      await compactVerify(token, await key, { algorithms: [ALG] });
    } catch (error) {
      if (error instanceof errors.JOSEError) return refuse('has a signature that does not verify');
      throw error;
    }
    const json = jsonOf(payload);
    return json === undefined ? refuse('has a payload that is not plain JSON') : { ok: true, payload: json };
  };
}

// Exactly three members: b64, crit, zip, jwk, jku, x5c have no place to stand.
function keyIdOf(header: unknown, typ: string): string | undefined {
  if (typeof header !== 'object' || header === null || Object.keys(header).length !== 3) return undefined;
  const { alg, typ: given, kid } = header as Record<string, unknown>;
  return alg === ALG && given === typ && typeof kid === 'string' ? kid : undefined;
}

// Changed low bits in a segment's last character would make a second spelling of the same token.
function isCanonical(segment: string): boolean {
  return segment.length > 0 && Buffer.from(segment, 'base64url').toString('base64url') === segment;
}

// Only JSON as JSON.stringify writes it: so no doubled member, no 1e400, nothing that two readers take differently.
function jsonOf(segment: string): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(segment, 'base64url'));
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

const refuse = (reason: string): { ok: false; reason: string } => ({ ok: false, reason });
