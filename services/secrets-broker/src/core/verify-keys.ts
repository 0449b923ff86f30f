import type { VerifyKey, VerifyKeys } from './strict-jws.ts';

const KID = /^[A-Za-z0-9_-]{1,64}$/;
const X = /^[A-Za-z0-9_-]{43}$/;

/**
 * The y coordinates of Ed25519 points whose order divides 8, in every encoding, little-endian hex with the sign bit
 * cleared. Under such a key a signature can be made that verifies for any message.
 * Source: libsodium, ge25519_has_small_order.
 */
const SMALL_ORDER_Y: ReadonlySet<string> = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** A JWKS file's content as verification keys. @throws Error with the reason; a JWKS holds nothing secret. */
export function parseVerifyKeys(json: unknown): VerifyKeys {
  const list = (json as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list) || list.length === 0) throw new Error('it is not a JWKS with at least one key');
  const keys = new Map<string, VerifyKey>();
  for (const [index, jwk] of list.entries()) {
    const { kty, crv, x, kid, d } = (jwk ?? {}) as Record<string, unknown>;
    if (kty !== 'OKP' || crv !== 'Ed25519') throw new Error(`key ${index} is not an Ed25519 key`);
    if (d !== undefined) throw new Error(`key ${index} is a private key`);
    if (typeof kid !== 'string' || !KID.test(kid)) throw new Error(`key ${index} has no usable kid`);
    if (typeof x !== 'string' || !X.test(x) || hasSmallOrder(x)) throw new Error(`key ${index} is not a usable point`);
    if (keys.has(kid)) throw new Error(`the kid of key ${index} appears twice`);
    keys.set(kid, { kty, crv, x });
  }
  return keys;
}

function hasSmallOrder(x: string): boolean {
  const bytes = Buffer.from(x, 'base64url');
  bytes[31] = (bytes[31] ?? 0) & 0x7f;
  return SMALL_ORDER_Y.has(bytes.toString('hex'));
}
