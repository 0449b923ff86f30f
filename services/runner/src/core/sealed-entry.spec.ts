import { randomBytes } from 'node:crypto';
import { Secret } from '@alga/contracts';
import fc from 'fast-check';
import { claimedVersion, type EntryIdentity, openEntry, sealEntry } from './sealed-entry.ts';

const identity: EntryIdentity = { tenantId: 'acme', installId: 'inst-1', secretsVersion: 7 };
const key = randomBytes(32);
const values = new Map([
  ['api_key', new Secret('s3cret-value')],
  ['__proto__', new Secret('')],
]);
const sealed = sealEntry(identity, values, key, randomBytes(12));
const reveal = (opened: ReadonlyMap<string, Secret> | undefined) =>
  opened && [...opened].map(([name, secret]) => [name, secret.reveal()]);

describe('an entry of the shared cache', () => {
  it('opens for the identity and key it was sealed for, and shows its version without them', () => {
    expect(reveal(openEntry(identity, sealed, key))).toEqual([
      ['api_key', 's3cret-value'],
      ['__proto__', ''],
    ]);
    expect(claimedVersion(sealed)).toBe(7);
  });

  it('holds no plaintext', () => expect(Buffer.from(sealed).includes('s3cret')).toBe(false));

  it.each<[string, EntryIdentity]>([
    ['another tenant', { ...identity, tenantId: 'globex' }],
    ['another install', { ...identity, installId: 'inst-2' }],
    ['another version', { ...identity, secretsVersion: 8 }],
  ])('does not open for %s', (_, other) => expect(openEntry(other, sealed, key)).toBeUndefined());

  it('does not open when its claimed version was raised (rolled back entry)', () => {
    const forged = Buffer.from(sealed);
    forged.writeBigUInt64BE(8n, 1);
    expect(openEntry({ ...identity, secretsVersion: 8 }, forged, key)).toBeUndefined();
  });

  it('does not open after any change of any bit, and no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const damaged = Buffer.from(sealed);
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        expect(openEntry(identity, damaged, key)).toBeUndefined();
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => openEntry(identity, bytes, key) === undefined));
  });
});
