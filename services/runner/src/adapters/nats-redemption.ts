import { type KeyObject, randomBytes } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import { AlgaError, channels, parse, type RedeemedSecrets, type RedeemProofClaims, Secret } from '@alga/contracts';
import { CompactSign, compactDecrypt, exportJWK, generateKeyPair } from 'jose';
import { windowFault } from '../core/envelope.ts';
import type { JwsOpener } from '../core/jws.ts';
import type { RedeemRequest, Redemption, SecretsFailure } from '../core/secrets-cache.ts';

const PROOF_TYP = 'alga-redeem-proof+jwt';
const PROOF_LIFE_S = 10;
const REPLY_TYP = 'alga-redeemed+jwt';
const REPLY_LIFE_S = 30;
const SEALED_TYP = 'alga-sealed';
/** As `sealed` in the contracts. */
const MAX_REPLY_CHARS = 900_000;
/** Where the broker says nothing of when to come back. */
const RETRY_AFTER_MS = 1_000;

interface RedemptionParts {
  readonly bus: Pick<Bus, 'request'>;
  readonly runnerId: string;
  readonly identity: { readonly kid: string; readonly key: KeyObject };
  /** Over the broker's public keys. */
  readonly openReply: JwsOpener;
  /** Wall clock. */
  readonly nowMs: () => number;
  /** Something an operator should look at; holds no value. */
  readonly onFault: (error: unknown) => void;
}

/** What the broker refuses, in the guest's words. Whatever is not listed is trouble of the backend: it never becomes "missing". */
const REFUSALS: ReadonlyMap<string, SecretsFailure> = new Map([
  ['forbidden', 'denied'],
  ['install_suspended', 'denied'],
  ['extension_not_found', 'denied'],
  ['envelope_expired', 'expired'],
  ['envelope_invalid', 'internal'],
  ['proof_invalid', 'internal'],
  ['proof_replayed', 'internal'],
  ['bad_request', 'internal'],
  ['internal', 'internal'],
]);

/** Redeems envelopes at the broker: a single-use proof out, secrets sealed for a key of this one exchange back. */
export function createRedeemer(parts: RedemptionParts): (request: RedeemRequest) => Promise<Redemption> {
  return async (request) => {
    try {
      return await redeem(parts, request);
    } catch (error) {
      if (!(error instanceof AlgaError)) {
        parts.onFault(error);
        return { ok: false, error: 'internal' };
      }
      const failure = REFUSALS.get(error.code) ?? 'unavailable';
      if (failure === 'internal') parts.onFault(error);
      return failure === 'unavailable'
        ? { ok: false, error: failure, retryAfterMs: error.retryAfterMs ?? RETRY_AFTER_MS }
        : { ok: false, error: failure };
    }
  };
}

async function redeem(parts: RedemptionParts, request: RedeemRequest): Promise<Redemption> {
  const { token, tokenSha256 } = request.envelope;
  const { publicKey, privateKey } = await generateKeyPair('ECDH-ES', { crv: 'X25519' });
  const { x = '' } = await exportJWK(publicKey);
  const jti = randomBytes(16).toString('base64url');
  const prove = (inbox: string): Promise<string> => {
    const iat = Math.floor(parts.nowMs() / 1000);
    return sign(parts.identity, {
      iss: parts.runnerId,
      aud: 'alga:secrets-broker',
      iat,
      exp: iat + PROOF_LIFE_S,
      jti,
      requestId: request.requestId,
      tokenSha256,
      subject: channels.secretsRedeem.subject(),
      inbox,
      want: request.want,
      sealTo: { kty: 'OKP', crv: 'X25519', x },
    });
  };
  const { sealed } = await parts.bus.request(
    channels.secretsRedeem,
    async (inbox) => ({ token, proof: await prove(inbox) }),
    { deadlineMs: request.deadlineMs },
  );
  const opened = await parts.openReply(await unseal(sealed, privateKey), REPLY_TYP, MAX_REPLY_CHARS);
  if (!opened.ok) throw new Error(`the broker's reply ${opened.reason}`);
  const reply = parse('redeemed-secrets', opened.payload);
  if (!reply.ok) throw new Error(`the broker's reply has a bad member ${reply.errors[0]?.field ?? ''}`);
  const differing = differingMember(reply.value, parts, request, jti);
  if (differing !== undefined) throw new Error(`the broker's reply is not the one to this request: ${differing}`);
  const { secretsVersion, dataKey, values } = reply.value;
  return {
    ok: true,
    secretsVersion,
    dataKey: Buffer.from(dataKey, 'base64url'),
    ...(values === undefined ? {} : { values: new Map(values.map(({ key, value }) => [key, new Secret(value)])) }),
  };
}

const sign = ({ kid, key }: RedemptionParts['identity'], claims: RedeemProofClaims): Promise<string> =>
  new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'Ed25519', typ: PROOF_TYP, kid })
    .sign(key);

async function unseal(sealed: string, privateKey: CryptoKey): Promise<string> {
  const { plaintext, protectedHeader } = await compactDecrypt(sealed, privateKey, {
    keyManagementAlgorithms: ['ECDH-ES'],
    contentEncryptionAlgorithms: ['A256GCM'],
  });
  // Exactly these members: no zip, and nothing that would change the meaning of the rest.
  const { alg, enc, typ, cty, epk, ...rest } = protectedHeader;
  if (typ !== SEALED_TYP || cty !== 'JWT' || Object.keys(rest).length > 0) {
    throw new Error("the broker's reply is sealed under an unexpected header");
  }
  return Buffer.from(plaintext).toString('latin1');
}

function differingMember(
  reply: RedeemedSecrets,
  parts: RedemptionParts,
  request: RedeemRequest,
  jti: string,
): string | undefined {
  const { claims, tokenSha256 } = request.envelope;
  if (reply.aud !== parts.runnerId) return 'aud';
  if (reply.proofJti !== jti) return 'proofJti';
  if (reply.tokenSha256 !== tokenSha256) return 'tokenSha256';
  if (reply.tenantId !== claims.tenantId) return 'tenantId';
  if (reply.installId !== claims.installId) return 'installId';
  const keys = reply.values?.map(({ key }) => key);
  if (keys !== undefined && new Set(keys).size !== keys.length) return 'values (a key is doubled)';
  return windowFault(reply, parts.nowMs() / 1000, REPLY_LIFE_S)?.reason;
}
