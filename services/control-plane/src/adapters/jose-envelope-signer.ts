import type { EnvelopeClaims, Secret } from '@alga/contracts';
import { CompactSign, compactVerify, errors, importJWK, type JWK } from 'jose';
import { ENVELOPE_ALGORITHM, type EnvelopeSigner, envelopeHeader } from '../core/envelope.ts';

/** @param key Ed25519 private JWK with `kid`, as JSON text. */
export async function joseEnvelopeSigner(key: Secret): Promise<EnvelopeSigner> {
  const jwk = JSON.parse(key.reveal()) as JWK & { kid: string };
  const { d: _private, ...publicJwk } = jwk;
  const [privateKey, publicKey] = await Promise.all([
    importJWK(jwk, ENVELOPE_ALGORITHM),
    importJWK(publicJwk, ENVELOPE_ALGORITHM),
  ]);
  const header = envelopeHeader(jwk.kid);
  return {
    keyId: jwk.kid,
    sign: (claims: EnvelopeClaims) =>
      new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(privateKey),
    async open(token) {
      try {
        return (await compactVerify(token, publicKey, { algorithms: [ENVELOPE_ALGORITHM] })).payload;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
