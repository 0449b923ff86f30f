import { createHash, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { parse, type RedeemProofClaims } from '@alga/contracts';
import { checkJws, judgeLifetime, type VerifyKeys, type VerifySignature } from './strict-jws.ts';

const TYP = 'alga-redeem-proof+jwt';
const MAX_LIFE_S = 10;

type CheckedProof =
  | { readonly ok: true; readonly claims: RedeemProofClaims }
  | { readonly ok: false; readonly reason: string };

/** How the redemption reached us, which the proof must name. */
interface ProofContext {
  readonly token: string;
  readonly subject: string;
  readonly replyTo: string;
}

/**
 * The claims of a proof made for exactly this redemption: this token, this subject, this reply inbox. Whether it was used
 * before is decided in the transaction that records the release.
 */
export async function checkProof(
  proof: string,
  context: ProofContext,
  keys: VerifyKeys,
  verify: VerifySignature,
  nowMs: number,
): Promise<CheckedProof> {
  const invalid = (reason: string): CheckedProof => ({ ok: false, reason: `The proof ${reason}.` });
  const jws = await checkJws(proof, { typ: TYP, keys }, verify);
  if (!jws.ok) return invalid(jws.reason);
  const parsed = parse('redeem-proof-claims', jws.payload);
  if (!parsed.ok) return invalid(`has a claim ${parsed.errors[0]?.field} that ${parsed.errors[0]?.reason}`);
  const claims = parsed.value;
  const lifetime = judgeLifetime(claims, MAX_LIFE_S, nowMs);
  if (lifetime === 'expired') return invalid('has expired');
  if (lifetime !== 'current') return invalid(lifetime.refused);
  if (claims.tokenSha256 !== tokenSha256(context.token)) return invalid('is for another token');
  if (claims.subject !== context.subject) return invalid('is for another subject');
  if (claims.inbox !== context.replyTo) return invalid('is for another inbox');
  if (!isUsableSealKey(claims.sealTo.x)) return invalid('names an unusable encryption key');
  return { ok: true, claims };
}

/** Hex. */
export const tokenSha256 = (token: string): string => createHash('sha256').update(token).digest('hex');

/**
 * Under a small-order X25519 key everybody knows the shared secret, and the sealed reply would be plaintext on the bus
 * (I3). OpenSSL refuses the all-zero result that such a key gives with any other.
 */
function isUsableSealKey(x: string): boolean {
  try {
    const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' });
    diffieHellman({ privateKey: generateKeyPairSync('x25519').privateKey, publicKey });
    return true;
  } catch {
    return false;
  }
}
