import type { Bus } from '@alga/chassis';
import { AlgaError, channels, parse, Secret } from '@alga/contracts';
import type { Keyring } from '../core/keyring.ts';
import { MAX_SECRET_BYTES } from '../core/secret-reading.ts';

const MAX_IN_FLIGHT = 32;

interface SealParts {
  readonly keyring: Keyring;
  /** The JSON inside the JWE; undefined when it cannot be opened. */
  open(jwe: string): Promise<unknown>;
  remember(value: Secret): void;
}

const refusal = (reason: string): AlgaError =>
  new AlgaError('bad_request', undefined, { errors: [{ field: '/value', reason }] });

/** Turns a value that an admin typed into ciphertext for exactly that tenant, install and key. */
export function serveSealing(bus: Bus, parts: SealParts): void {
  bus.serve(
    channels.secretsSeal,
    async ({ tenantId, installId, key, value }) => {
      const plaintext = parse('secret-plaintext', await parts.open(value));
      if (!plaintext.ok) throw refusal('cannot be opened, or does not hold a secret');
      const secret = new Secret(plaintext.value.value);
      parts.remember(secret);
      const { tenantId: tenant, installId: install, key: name } = plaintext.value;
      if (tenant !== tenantId || install !== installId || name !== key)
        throw refusal('belongs to another install or key');
      if (Buffer.byteLength(secret.reveal()) > MAX_SECRET_BYTES) throw refusal(`is over ${MAX_SECRET_BYTES} bytes`);
      return parts.keyring.seal(secret, { tenantId, installId, key });
    },
    { maxInFlight: MAX_IN_FLIGHT },
  );
}
