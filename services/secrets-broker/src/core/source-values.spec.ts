import { randomBytes } from 'node:crypto';
import { Secret, type SecretsMaterialReply } from '@alga/contracts';
import { Keyring } from './keyring.ts';
import { type Reading, SourceTrouble } from './secret-reading.ts';
import { sourceValues } from './source-values.ts';

const keyring = Keyring.parse({
  version: 1,
  active: 'k1',
  keys: [{ id: 'k1', key: randomBytes(32).toString('base64url') }],
});
const found = (text: string): Reading => ({ outcome: 'found', value: new Secret(text), version: '1' });
const material = (secrets: SecretsMaterialReply['secrets']): SecretsMaterialReply => ({
  tenantId: 'acme',
  installId: 'sync-1',
  extensionId: 'sync',
  status: 'active',
  contentHash: `sha256:${'0'.repeat(64)}`,
  capabilities: [],
  secretsVersion: 1,
  secrets,
});
const plain = (values: ReadonlyMap<string, Secret>) => [...values].map(([key, value]) => [key, value.reveal()]);

describe('the values of an install', () => {
  it('are opened or read, in order, each source once, and left out where there is none', async () => {
    const sealed = keyring.seal(new Secret('typed'), { tenantId: 'acme', installId: 'sync-1', key: 'b' });
    const asked: string[] = [];
    const values = await sourceValues(
      material([
        { key: 'a', kind: 'reference', reference: 'file:shared' },
        { key: 'b', kind: 'sealed', ...sealed },
        { key: 'c', kind: 'reference', reference: 'file:absent' },
        { key: 'd', kind: 'reference', reference: 'file:shared' },
      ]),
      keyring,
      async (reference) => {
        asked.push(reference);
        return reference === 'file:shared' ? found('read') : { outcome: 'not_found' };
      },
    );
    expect(plain(values)).toEqual([
      ['a', 'read'],
      ['b', 'typed'],
      ['d', 'read'],
    ]);
    expect(asked.sort()).toEqual(['file:absent', 'file:shared']);
  });

  it('fail as a whole when one source is in trouble, and stop asking the others', async () => {
    let reads = 0;
    const many = Array.from({ length: 1000 }, (_, n) => ({
      key: `k${n}`,
      kind: 'reference' as const,
      reference: `file:f${n}`,
    }));
    const values = sourceValues(material(many), keyring, async () => {
      reads += 1;
      throw new SourceTrouble('file', 'gone');
    });
    await expect(values).rejects.toBeInstanceOf(SourceTrouble);
    expect(reads).toBeLessThanOrEqual(8);
  });

  it("fail when a ciphertext is another install's", async () => {
    const sealed = keyring.seal(new Secret('typed'), { tenantId: 'other', installId: 'sync-9', key: 'b' });
    const values = sourceValues(material([{ key: 'b', kind: 'sealed', ...sealed }]), keyring, async () => found('x'));
    await expect(values).rejects.toThrow('belongs to another');
  });
});
