import type { Bus } from '@alga/chassis';
import { AlgaError, channels, type Secret, type SecretPlaintext } from '@alga/contracts';
import { CompactEncrypt, importJWK, type JWK } from 'jose';
import type { StoredSecret } from '../core/install.ts';
import type { SecretSealer } from '../ports/peers.ts';

/** An admin waits for it; a broker that takes longer is as good as down. */
const SEAL_DEADLINE_MS = 3_000;

/** Seals through the broker. On the bus the value is a JWE that only the broker opens (I3). @param jwk X25519 public key. */
export async function busSecretSealer(bus: Bus, jwk: JWK): Promise<SecretSealer> {
  const key = await importJWK(jwk, 'ECDH-ES');
  const header = { alg: 'ECDH-ES', enc: 'A256GCM', typ: 'alga-secret-value' };
  return {
    async seal(tenantId: string, installId: string, secretKey: string, value: Secret): Promise<StoredSecret> {
      const plaintext: SecretPlaintext = { tenantId, installId, key: secretKey, value: value.reveal() };
      const jwe = await new CompactEncrypt(Buffer.from(JSON.stringify(plaintext)))
        .setProtectedHeader(header)
        .encrypt(key);
      const request = { tenantId, installId, key: secretKey, value: jwe };
      try {
        const sealed = await bus.request(channels.secretsSeal, request, { deadlineMs: SEAL_DEADLINE_MS });
        return { kind: 'sealed', ...sealed };
      } catch (cause) {
        // Whatever went wrong there, the admin's request was fine and nothing was stored: it may be repeated.
        throw new AlgaError('secrets_unavailable', 'The secrets broker could not seal the value.', { cause });
      }
    },
  };
}
