import { type CheckedEnvelope, checkEnvelopeClaims, checkEnvelopeShape, type EnvelopeSigner } from './envelope.ts';
import { type Refusal, refuse } from './refusal.ts';

type StorageAuthority =
  | { readonly kind: 'allowed'; readonly owner: { readonly tenantId: string; readonly installId: string } }
  | Refusal;

/** Whose storage a runner may touch: what the envelope says, whatever else the message says (I6). */
export async function storageAuthority(
  signer: EnvelopeSigner,
  token: string,
  capability: 'storage.read' | 'storage.write',
  nowMs: number,
): Promise<StorageAuthority> {
  const checked = await openEnvelope(signer, token, nowMs);
  if (checked.kind === 'expired') return refuse('envelope_expired');
  if (checked.kind === 'invalid') return refuse('envelope_invalid', undefined, { errors: checked.errors });
  const { claims } = checked;
  if (!claims.capabilities.includes(capability)) return refuse('forbidden', `${capability} is not granted.`);
  return { kind: 'allowed', owner: { tenantId: claims.tenantId, installId: claims.installId } };
}

async function openEnvelope(signer: EnvelopeSigner, token: string, nowMs: number): Promise<CheckedEnvelope> {
  const misshapen = checkEnvelopeShape(token, signer.keyId);
  if (misshapen !== undefined) return misshapen;
  const payload = await signer.open(token);
  if (payload === undefined) {
    return { kind: 'invalid', errors: [{ field: '/token', reason: 'has a signature that does not verify' }] };
  }
  return checkEnvelopeClaims(JSON.parse(new TextDecoder().decode(payload)), nowMs); // signed by us, hence JSON
}
