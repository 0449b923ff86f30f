import type { Secret, SecretsMaterialReply } from '@alga/contracts';
import type { Keyring } from './keyring.ts';
import type { Reading } from './secret-reading.ts';

/** Reads of one redemption that are under way at once: an install of 1000 references must not be an attack on Vault. */
const MAX_CONCURRENT_READS = 8;

/**
 * The present values of an install's secrets, in its order; a secret whose source has none is absent.
 * @throws Error as soon as one cannot be opened or read: a release is whole or does not happen.
 */
export async function sourceValues(
  material: SecretsMaterialReply,
  keyring: Keyring,
  read: (reference: string) => Promise<Reading>,
): Promise<ReadonlyMap<string, Secret>> {
  const { tenantId, installId, secrets } = material;
  const found = new Map<string, Secret>();
  const readings = new Map<string, Promise<Reading>>();
  const readOnce = (reference: string): Promise<Reading> => {
    const reading = readings.get(reference) ?? read(reference);
    readings.set(reference, reading);
    return reading;
  };
  const pending = secrets.values();
  let failed = false;
  const take = async () => {
    for (const secret of pending) {
      if (failed) return;
      if (secret.kind === 'sealed') {
        found.set(secret.key, keyring.open(secret, { tenantId, installId, key: secret.key }));
        continue;
      }
      const reading = await readOnce(secret.reference);
      if (reading.outcome === 'found') found.set(secret.key, reading.value);
    }
  };
  const work = () =>
    take().catch((error: unknown) => {
      failed = true; // the others stop after the read they are at
      throw error;
    });
  await Promise.all(Array.from({ length: MAX_CONCURRENT_READS }, work));
  const inOrder = new Map<string, Secret>();
  for (const { key } of secrets) {
    const value = found.get(key);
    if (value !== undefined) inOrder.set(key, value);
  }
  return inOrder;
}
