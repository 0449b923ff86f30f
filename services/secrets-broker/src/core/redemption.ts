import { AlgaError, type RedeemedSecrets, type Secret, type SecretsMaterialReply } from '@alga/contracts';
import type { AuditEntry } from './audit-chain.ts';
import { checkEnvelope } from './envelope.ts';
import { judgeInstall } from './install-judgement.ts';
import type { Keyring } from './keyring.ts';
import { checkProof, tokenSha256 } from './proof.ts';
import type { RefusalCap } from './refusal-cap.ts';
import type { VerifyKeys, VerifySignature } from './strict-jws.ts';

/** What a redemption needs of the world. */
export interface RedemptionParts {
  readonly envelopeKeys: VerifyKeys;
  readonly runnerKeys: VerifyKeys;
  readonly keyring: Keyring;
  readonly refusals: RefusalCap;
  readonly verify: VerifySignature;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
  /** The install's present state. Throws what control-plane answered. */
  material(ids: { tenantId: string; installId: string }, signal: AbortSignal): Promise<SecretsMaterialReply>;
  /** The values that the sources hold now; a key they do not have is absent. Throws when one cannot say. */
  values(material: SecretsMaterialReply, signal: AbortSignal): Promise<ReadonlyMap<string, Secret>>;
  /** Makes the use of the proof and the entry durable, together, before it resolves (I2). */
  record(entry: AuditEntry, proof: { jti: string; expiresAtMs: number }): Promise<'recorded' | 'proof_replayed'>;
  /** Makes a refusal durable. */
  recordRefusal(entry: AuditEntry): Promise<void>;
  /** Signs the claims and encrypts them for the runner's key. */
  seal(claims: RedeemedSecrets, sealTo: { kty: 'OKP'; crv: 'X25519'; x: string }): Promise<string>;
  /** Told about a value before it is used, so that no log line shows it. */
  remember(value: Secret): void;
  /** Told about faults: never a value. */
  warn(error: unknown, message: string): void;
}

interface RedemptionRequest {
  readonly token: string;
  readonly proof: string;
  readonly subject: string;
  readonly replyTo: string;
  /** Fires when nobody waits any longer. */
  readonly signal: AbortSignal;
}

type RefusalCode =
  | 'envelope_invalid'
  | 'envelope_expired'
  | 'proof_invalid'
  | 'proof_replayed'
  | 'forbidden'
  | 'install_suspended'
  | 'extension_not_found'
  | 'secrets_unavailable';

type Redemption =
  | { readonly outcome: 'released'; readonly sealed: string }
  | { readonly outcome: 'refused'; readonly code: RefusalCode; readonly reason?: string };

type Refused = Extract<Redemption, { outcome: 'refused' }>;

/** How long the runner may take to open the reply, in seconds. */
const REPLY_LIFE_S = 30;
/** Values of one release, as JSON: two layers of base64 make 9/16 of the reply's 900,000 characters of it. */
const MAX_RELEASE_BYTES = 480 * 1024;
const PROOF_LIFE_MARGIN_MS = 60_000;

/** Who asked for what, as far as that is known: what a refusal's audit entry can say. */
interface Known {
  tenantId?: string;
  installId?: string;
  extensionId?: string;
  requestId?: string;
  runnerId?: string;
}

/** Decides one redemption and releases what it decided to. Refusals are outcomes; every trouble is `secrets_unavailable`. */
export async function redeem(request: RedemptionRequest, parts: RedemptionParts): Promise<Redemption> {
  const known: Known = {};
  const result = await atMostUntil(request.signal, decide(request, parts, known), () => refused('secrets_unavailable'));
  if (result.outcome === 'refused' && parts.refusals.admit(parts.now())) {
    const what = { keys: [], secretsVersion: null, outcome: result.code };
    const written = parts
      .recordRefusal(entryOf(parts, `refusal:${parts.newId()}`, known, what))
      // The refusal stands whether or not it could be written down: nothing is released by it.
      .catch((error: unknown) => parts.warn(error, 'a refusal could not be audited'));
    // Trouble is most likely the database's own: the caller does not wait for it a second time.
    if (result.code !== 'secrets_unavailable') await written;
  }
  return result;
}

/** The work's outcome, or `late()` once the signal fires. Late work may still record a release that nobody gets; never the reverse (I2). */
async function atMostUntil<T>(signal: AbortSignal, work: Promise<T>, late: () => T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const onAbort = () => resolve(late());
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  work.catch(() => undefined); // its late failure has been answered for
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function decide(request: RedemptionRequest, parts: RedemptionParts, known: Known): Promise<Redemption> {
  const envelope = await checkEnvelope(request.token, parts.envelopeKeys, parts.verify, parts.now());
  if (!envelope.ok) return refused(envelope.code, envelope.reason);
  const { tenantId, installId, extensionId } = envelope.claims;
  Object.assign(known, { tenantId, installId, extensionId });
  const proof = await checkProof(request.proof, request, parts.runnerKeys, parts.verify, parts.now());
  if (!proof.ok) return refused('proof_invalid', proof.reason);
  const { claims } = proof;
  Object.assign(known, { requestId: claims.requestId, runnerId: claims.iss });

  const material = await materialOf(parts, { tenantId, installId }, request.signal);
  if ('outcome' in material) return material;
  const judgement = judgeInstall(envelope.claims, material);
  if (judgement !== 'ok') return refused(judgement.code, judgement.reason);

  // The version was read before the values: they are at least as new as it says, never older (I1).
  const { secretsVersion } = material;
  const values = claims.want === 'values' ? await valuesOf(parts, material, request.signal) : undefined;
  if (values === 'unavailable') return refused('secrets_unavailable');
  const dataKey = parts.keyring.dataKey(tenantId, installId, secretsVersion);
  parts.remember(dataKey);

  const keys = values === undefined ? [] : [...values.keys()];
  const outcome = values === undefined ? 'data_key_released' : 'released';
  const entry = entryOf(parts, `redemption:${claims.jti}`, known, { keys, secretsVersion, outcome });
  try {
    // Up to here nothing has left; from here on the entry is durable (I2).
    const proofUse = { jti: claims.jti, expiresAtMs: claims.exp * 1000 + PROOF_LIFE_MARGIN_MS };
    if ((await parts.record(entry, proofUse)) === 'proof_replayed') return refused('proof_replayed');
  } catch (error) {
    parts.warn(error, 'a redemption could not be recorded: nothing is released');
    return refused('secrets_unavailable');
  }
  const iat = Math.floor(parts.now() / 1000);
  const sealed = await parts.seal(
    {
      iss: 'alga:secrets-broker',
      aud: claims.iss,
      iat,
      exp: iat + REPLY_LIFE_S,
      proofJti: claims.jti,
      tokenSha256: tokenSha256(request.token),
      tenantId,
      installId,
      secretsVersion,
      dataKey: dataKey.reveal(),
      ...(values === undefined ? {} : { values: [...values].map(([key, value]) => ({ key, value: value.reveal() })) }),
    },
    claims.sealTo,
  );
  return { outcome: 'released', sealed };
}

const refused = (code: RefusalCode, reason?: string): Refused => ({
  outcome: 'refused',
  code,
  ...(reason === undefined ? {} : { reason }),
});

async function materialOf(
  parts: RedemptionParts,
  ids: { tenantId: string; installId: string },
  signal: AbortSignal,
): Promise<SecretsMaterialReply | Refused> {
  try {
    return await parts.material(ids, signal);
  } catch (error) {
    // Only control-plane's own word makes an install gone; silence, faults and time-outs do not.
    if (error instanceof AlgaError && error.code === 'extension_not_found') return refused('extension_not_found');
    parts.warn(error, 'control-plane did not say what the install has');
    return refused('secrets_unavailable');
  }
}

async function valuesOf(
  parts: RedemptionParts,
  material: SecretsMaterialReply,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Secret> | 'unavailable'> {
  try {
    const values = await parts.values(material, signal);
    for (const value of values.values()) parts.remember(value);
    const size = [...values].reduce(
      (sum, [key, value]) => sum + JSON.stringify({ key, value: value.reveal() }).length,
      0,
    );
    if (size > MAX_RELEASE_BYTES)
      throw new RangeError(`the install's values are over ${MAX_RELEASE_BYTES} bytes together`);
    return values;
  } catch (error) {
    parts.warn(error, 'a source could not be read'); // and never "missing"
    return 'unavailable';
  }
}

function entryOf(
  parts: RedemptionParts,
  id: string,
  known: Known,
  what: Pick<AuditEntry, 'keys' | 'secretsVersion' | 'outcome'>,
): AuditEntry {
  return {
    id,
    at: parts.now(),
    kind: 'redemption',
    tenantId: known.tenantId ?? null,
    installId: known.installId ?? null,
    extensionId: known.extensionId ?? null,
    requestId: known.requestId ?? null,
    runnerId: known.runnerId ?? null,
    ...what,
  };
}
