import { randomBytes } from 'node:crypto';
import { Secret } from '@alga/contracts';
import fc from 'fast-check';
import { Keyring, type SealedFor } from './keyring.ts';

const key = () => randomBytes(32).toString('base64url');
const [first, second] = [key(), key()];
const ring = (active: string, ids: readonly (readonly [string, string])[]) =>
  Keyring.parse({ version: 1, active, keys: ids.map(([id, key]) => ({ id, key })) });
const owner: SealedFor = { tenantId: 'acme', installId: 'sync-1', key: 'api_key' };

describe('the keyring', () => {
  const keyring = ring('k1', [['k1', first]]);

  it('opens any value for the tenant, install and key that it was sealed for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        expect(keyring.open(keyring.seal(new Secret(value), owner), owner).reveal()).toBe(value);
      }),
    );
  });

  it.each([
    { ...owner, tenantId: 'other' },
    { ...owner, installId: 'sync-2' },
    { ...owner, key: 'other_key' },
  ])('does not open a ciphertext for %j: a row copied elsewhere is worthless', (other) => {
    const sealed = keyring.seal(new Secret('a value'), owner);
    expect(() => keyring.open(sealed, other)).toThrow('belongs to another');
  });

  it('refuses a ciphertext with any byte changed', () => {
    const sealed = keyring.seal(new Secret('a value'), owner);
    const bytes = Buffer.from(sealed.ciphertext.slice('alga1.'.length), 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const ciphertext = `alga1.${changed.toString('base64url')}`;
      expect(() => keyring.open({ ...sealed, ciphertext }, owner)).toThrow();
    }
  });

  it.each(['', 'alga1.', 'alga1.AAAA', 'other.AAAA'])('refuses the malformed ciphertext %j', (ciphertext) => {
    expect(() => keyring.open({ ciphertext, keyId: 'k1' }, owner)).toThrow();
  });

  it('never seals the same value to the same ciphertext, and never shows it', () => {
    const [a, b] = [
      keyring.seal(new Secret('the plain value'), owner),
      keyring.seal(new Secret('the plain value'), owner),
    ];
    expect(a.ciphertext).not.toBe(b.ciphertext);
    expect(Buffer.from(a.ciphertext, 'base64url').includes('plain')).toBe(false);
  });

  it('seals under the active key and still opens what older keys sealed', () => {
    const old = keyring.seal(new Secret('kept'), owner);
    const rotated = ring('k2', [
      ['k1', first],
      ['k2', second],
    ]);
    expect(rotated.open(old, owner).reveal()).toBe('kept');
    const renewed = rotated.seal(new Secret('kept'), owner);
    expect(renewed.keyId).toBe('k2');
    expect(() => keyring.open(renewed, owner)).toThrow('no key k2');
  });

  it('derives a data key per tenant, install, version and active key, always the same', () => {
    const keys = [
      keyring.dataKey('acme', 'sync-1', 1),
      keyring.dataKey('acme', 'sync-1', 2),
      keyring.dataKey('acme', 'sync-2', 1),
      keyring.dataKey('other', 'sync-1', 1),
      ring('k2', [['k2', second]]).dataKey('acme', 'sync-1', 1),
    ].map((secret) => secret.reveal());
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyring.dataKey('acme', 'sync-1', 1).reveal()).toBe(keys[0]);
    expect(Buffer.from(keys[0] ?? '', 'base64url')).toHaveLength(32);
  });

  it.each([
    ['no object', null],
    ['another version', { version: 2, active: 'k1', keys: [{ id: 'k1', key: first }] }],
    ['no keys', { version: 1, active: 'k1', keys: [] }],
    ['an active key that it lacks', { version: 1, active: 'k2', keys: [{ id: 'k1', key: first }] }],
    ['a short key', { version: 1, active: 'k1', keys: [{ id: 'k1', key: first.slice(4) }] }],
    [
      'a repeated id',
      {
        version: 1,
        active: 'k1',
        keys: [
          { id: 'k1', key: first },
          { id: 'k1', key: second },
        ],
      },
    ],
  ])('with %s is refused, in words that quote no key', (_, json) => {
    expect(() => Keyring.parse(json)).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining(first.slice(4)) }),
    );
  });
});
