import { type EnvelopeClaims, parse } from '@alga/contracts';
import { checkJws, judgeLifetime, type VerifyKeys, type VerifySignature } from './strict-jws.ts';

const TYP = 'alga-envelope+jwt';
const MAX_LIFE_S = 60;

type CheckedEnvelope =
  | { readonly ok: true; readonly claims: EnvelopeClaims }
  | { readonly ok: false; readonly code: 'envelope_invalid' | 'envelope_expired'; readonly reason: string };

/** The claims of an envelope token that holds at `nowMs`. */
export async function checkEnvelope(
  token: string,
  keys: VerifyKeys,
  verify: VerifySignature,
  nowMs: number,
): Promise<CheckedEnvelope> {
  const invalid = (reason: string): CheckedEnvelope => ({ ok: false, code: 'envelope_invalid', reason });
  const jws = await checkJws(token, { typ: TYP, keys }, verify);
  if (!jws.ok) return invalid(`The envelope ${jws.reason}.`);
  const claims = parse('envelope-claims', jws.payload);
  if (!claims.ok) return invalid(`The envelope's claim ${claims.errors[0]?.field} ${claims.errors[0]?.reason}.`);
  const lifetime = judgeLifetime(claims.value, MAX_LIFE_S, nowMs);
  if (lifetime === 'expired') {
    return { ok: false, code: 'envelope_expired', reason: 'The secrets envelope has expired.' };
  }
  return lifetime === 'current' ? { ok: true, claims: claims.value } : invalid(`The envelope ${lifetime.refused}.`);
}
