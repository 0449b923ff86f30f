import { createCipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Bus } from '@alga/chassis';
import { AlgaError, channels, type Manifest, parse } from '@alga/contracts';
import { compactDecrypt, importJWK, type JWK } from 'jose';

export interface BrokerPeer {
  /** `tenant|install|key` of each value that was sealed, and the value. */
  readonly sealed: ReadonlyMap<string, string>;
}

/** The broker's seal channel: opens the JWE with the broker's key and encrypts the value, as the broker does. */
export async function serveSeal(bus: Bus, keysDir: string): Promise<BrokerPeer> {
  const jwk = JSON.parse(await readFile(path.join(keysDir, 'broker-seal.jwk'), 'utf8')) as JWK;
  const privateKey = await importJWK(jwk, 'ECDH-ES');
  const keyringKey = randomBytes(32);
  const sealed = new Map<string, string>();
  bus.serve(channels.secretsSeal, async ({ tenantId, installId, key, value }) => {
    const { plaintext, protectedHeader } = await compactDecrypt(value, privateKey, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    const opened = parse('secret-plaintext', JSON.parse(new TextDecoder().decode(plaintext)));
    if (!opened.ok || protectedHeader.typ !== 'alga-secret-value') throw new AlgaError('bad_request');
    const same = opened.value.tenantId === tenantId && opened.value.installId === installId && opened.value.key === key;
    if (!same) throw new AlgaError('bad_request', 'The value was sealed for somebody else.');
    sealed.set(`${tenantId}|${installId}|${key}`, opened.value.value);
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', keyringKey, iv).setAAD(Buffer.from(`${tenantId}|${installId}|${key}`));
    const body = Buffer.concat([cipher.update(opened.value.value, 'utf8'), cipher.final()]);
    return { ciphertext: Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64'), keyId: 'test-key' };
  });
  return { sealed };
}

const contentHashOf = (version: string): string => `sha256:${Buffer.from(version).toString('hex').padEnd(64, '0')}`;

/** The registry's resolve channel over a list of published manifests, newest last. */
export function serveCatalogue(bus: Bus, published: readonly Manifest[]): void {
  bus.serve(channels.artifactResolve, async (request) => {
    const manifest =
      'extensionId' in request
        ? published.findLast(
            (each) => each.extensionId === request.extensionId && each.version === (request.version ?? each.version),
          )
        : undefined;
    if (manifest === undefined) throw new AlgaError('not_found');
    return {
      extensionId: manifest.extensionId,
      version: manifest.version,
      contentHash: contentHashOf(manifest.version),
      manifest,
      object: 'some-object',
      signature: 'aaaaaaaa.bbbbbbbb.cccccccc',
    };
  });
}

/** A manifest that declares a bit of everything. */
export const sampleManifest = (version: string, overrides: Partial<Manifest> = {}): Manifest => ({
  manifestVersion: 1,
  extensionId: 'ticket-sync',
  version,
  title: 'Ticket sync',
  runtime: 'component',
  component: 'component.wasm',
  capabilities: ['secrets.get', 'config.read', 'storage.read', 'storage.write'],
  egress: ['https://api.example', 'https://other.example'],
  secrets: [{ key: 'alga_api_key' }, { key: 'account_token', required: false }],
  config: [
    { key: 'api_url', type: 'string', required: true },
    { key: 'page_size', type: 'number' },
  ],
  ...overrides,
});
