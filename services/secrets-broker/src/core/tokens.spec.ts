import { createHmac, generateKeyPairSync } from 'node:crypto';
import type { EnvelopeClaims, RedeemProofClaims } from '@alga/contracts';
import fc from 'fast-check';
import { verifySignature } from '../adapters/jose-tokens.ts';
import { envelopeClaims, envelopeHeader, proofClaims, proofHeader, seconds, signer } from '../testing/tokens.ts';
import { checkEnvelope } from './envelope.ts';
import { checkProof } from './proof.ts';
import { parseVerifyKeys } from './verify-keys.ts';

const NOW = 1_800_000_000_000;
const minter = signer('minter-1');
const stranger = signer('minter-1');

const envelope = (claims: Partial<EnvelopeClaims> = {}, header: object = {}) =>
  minter.sign({ ...envelopeHeader('minter-1'), ...header }, envelopeClaims(NOW, claims));
const check = (token: string, nowMs = NOW) => checkEnvelope(token, minter.keys, verifySignature, nowMs);
const invalid = (part: string) => ({ ok: false, code: 'envelope_invalid', reason: expect.stringContaining(part) });

describe('an envelope', () => {
  it('is accepted with exactly the claims that were signed', async () => {
    const claims = envelopeClaims(NOW);
    const token = minter.sign(envelopeHeader('minter-1'), claims);
    await expect(check(token)).resolves.toEqual({ ok: true, claims });
  });

  it.each([
    ['alg none', () => minter.sign({ ...envelopeHeader('minter-1'), alg: 'none' }, envelopeClaims(NOW)), 'algorithm'],
    [
      'HS256 with the public key as secret',
      () => {
        const [header, payload] = envelope({}, { alg: 'HS256' }).split('.');
        const mac = createHmac('sha256', Buffer.from(minter.publicX, 'base64url')).update(`${header}.${payload}`);
        return `${header}.${payload}.${mac.digest('base64url')}`;
      },
      'is not a compact JWS',
    ],
    ['an alg that jose would take as well', () => envelope({}, { alg: 'EdDSA' }), 'algorithm'],
    ['an embedded key', () => envelope({}, { jwk: { kty: 'OKP', crv: 'Ed25519', x: stranger.publicX } }), 'headers'],
    ['a key address', () => envelope({}, { jku: 'https://attacker.example/keys' }), 'headers'],
    ['a certificate chain', () => envelope({}, { x5c: ['AAAA'] }), 'headers'],
    ['a critical extension', () => envelope({}, { crit: ['b64'], b64: false }), 'headers'],
    ['another typ', () => envelope({}, { typ: 'JWT' }), 'type'],
    ['the typ of a proof', () => envelope({}, { typ: 'alga-redeem-proof+jwt' }), 'type'],
    ['an unknown or retired kid', () => envelope({}, { kid: 'minter-0' }), 'unknown key'],
    ['a kid that is a path', () => envelope({}, { kid: '../../etc/passwd' }), 'unknown key'],
    ['a kid that is a property of objects', () => envelope({}, { kid: '__proto__' }), 'unknown key'],
    ['a kid that is no text', () => envelope({}, { kid: 7 }), 'unknown key'],
    ["a stranger's signature", () => stranger.sign(envelopeHeader('minter-1'), envelopeClaims(NOW)), 'signature'],
    ['no exp', () => minter.sign(envelopeHeader('minter-1'), { ...envelopeClaims(NOW), exp: undefined }), '/exp'],
    [
      'an infinite exp',
      () =>
        minter.sign(
          envelopeHeader('minter-1'),
          JSON.stringify(envelopeClaims(NOW)).replace(/"exp":\d+/, '"exp":1e400'),
        ),
      'malformed claims',
    ],
    ['a life over 60 s', () => envelope({ exp: seconds(NOW) + 61 }), 'lives longer'],
    ['an end before its beginning', () => envelope({ exp: seconds(NOW) }), 'ends before'],
    ['an issue time 6 s ahead', () => envelope({ iat: seconds(NOW) + 6, exp: seconds(NOW) + 60 }), 'future'],
    ['another audience', () => envelope({ aud: 'alga:gateway' as 'alga:runner' }), '/aud'],
    [
      'a list of audiences',
      () => minter.sign(envelopeHeader('minter-1'), { ...envelopeClaims(NOW), aud: ['alga:runner'] }),
      '/aud',
    ],
    ['another issuer', () => envelope({ iss: 'alga:runner' as 'alga:control-plane' }), '/iss'],
    [
      'a claim too many',
      () => minter.sign(envelopeHeader('minter-1'), { ...envelopeClaims(NOW), admin: true }),
      'not a known property',
    ],
    [
      'a repeated claim',
      () => {
        const json = JSON.stringify(envelopeClaims(NOW));
        return minter.sign(envelopeHeader('minter-1'), `${json.slice(0, -1)},"tenantId":"other"}`);
      },
      'malformed claims',
    ],
    ['a trailing newline', () => `${envelope()}\n`, 'compact JWS'],
    ['a megabyte', () => `${'A'.repeat(1_000_000)}.${'A'.repeat(10)}.${'A'.repeat(86)}`, 'too long'],
  ])('with %s is refused as invalid', async (_, make, part) => {
    await expect(check(make())).resolves.toEqual(invalid(part));
  });

  it('is refused when the unused bits of its last character are set: one token has one spelling', async () => {
    const token = envelope();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(token.at(-1) ?? '');
    await expect(check(`${token.slice(0, -1)}${alphabet[last + 1]}`)).resolves.toEqual(invalid('canonically'));
  });

  it('tolerates clocks that differ by 5 s and not by 6 s, and names expiry by its own code', async () => {
    const token = envelope();
    await expect(check(token, NOW + 65_000)).resolves.toMatchObject({ ok: true });
    await expect(check(token, NOW + 66_000)).resolves.toMatchObject({ ok: false, code: 'envelope_expired' });
    await expect(check(token, NOW - 5_000)).resolves.toMatchObject({ ok: true });
    await expect(check(token, NOW - 6_000)).resolves.toEqual(invalid('future'));
  });

  it('is refused after any change of any of its characters', async () => {
    const token = envelope();
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019-_.'), async (at, character) => {
        fc.pre(token[at] !== character);
        const changed = token.slice(0, at) + character + token.slice(at + 1);
        expect((await check(changed)).ok).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it('that is arbitrary text is refused, never thrown on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        expect((await check(text)).ok).toBe(false);
      }),
    );
  });
});

describe('a proof', () => {
  const runner = signer('runner-key');
  const { x: sealToX = '' } = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }) as { x?: string };
  const token = envelope();
  const context = { token, subject: 'alga.v1.secrets.redeem', replyTo: '_INBOX_runner.abc.1' };
  const binding = { token, subject: context.subject, inbox: context.replyTo, sealToX };
  const prove = (change: Partial<RedeemProofClaims> = {}, header: object = {}) =>
    runner.sign({ ...proofHeader('runner-key'), ...header }, proofClaims(NOW, binding, change));
  const judge = (proof: string, nowMs = NOW) => checkProof(proof, context, runner.keys, verifySignature, nowMs);

  it('made for exactly this redemption is accepted', async () => {
    await expect(judge(prove())).resolves.toMatchObject({ ok: true, claims: { iss: 'runner-1' } });
  });

  it.each([
    ['another token', { tokenSha256: '0'.repeat(64) }, 'another token'],
    ['another subject', { subject: 'alga.v1.secrets.seal' }, 'another subject'],
    ['another inbox', { inbox: '_INBOX_runner.abc.2' }, 'another inbox'],
    ['another audience', { aud: 'alga:runner' as 'alga:secrets-broker' }, '/aud'],
    ['a life over 10 s', { exp: seconds(NOW) + 11 }, 'lives longer'],
    ['an issue time in the future', { iat: seconds(NOW) + 6, exp: seconds(NOW) + 12 }, 'future'],
    ['a small-order encryption key', { sealTo: { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) } as const }, 'unusable'],
  ])('for %s is refused', async (_, change, part) => {
    await expect(judge(prove(change))).resolves.toEqual({ ok: false, reason: expect.stringContaining(part) });
  });

  it('is refused when it is an envelope, or signed by the key of envelopes', async () => {
    await expect(judge(token)).resolves.toMatchObject({ ok: false });
    const forged = minter.sign(proofHeader('runner-key'), proofClaims(NOW, binding));
    await expect(judge(forged)).resolves.toMatchObject({ ok: false });
  });

  it('expires 5 s after its end', async () => {
    await expect(judge(prove(), NOW + 15_000)).resolves.toMatchObject({ ok: true });
    await expect(judge(prove(), NOW + 16_000)).resolves.toMatchObject({ ok: false });
  });
});

describe('a key set', () => {
  const good = { kty: 'OKP', crv: 'Ed25519', x: minter.publicX, kid: 'a' };
  const point = (hex: string) => Buffer.from(hex, 'hex').toString('base64url');

  it.each([
    ['no keys', { keys: [] }],
    ['a private key', { keys: [{ ...good, d: minter.publicX }] }],
    ['a key of another curve', { keys: [{ ...good, crv: 'X25519' }] }],
    ['a repeated kid', { keys: [good, good] }],
    ['a key without kid', { keys: [{ ...good, kid: undefined }] }],
    ['the neutral point', { keys: [{ ...good, x: point(`01${'00'.repeat(31)}`) }] }],
    ['the neutral point with its sign bit set', { keys: [{ ...good, x: point(`01${'00'.repeat(30)}80`) }] }],
    [
      'a point of order 8',
      { keys: [{ ...good, x: point('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa') }] },
    ],
    ['null', null],
  ])('with %s is refused', (_, json) => {
    expect(() => parseVerifyKeys(json)).toThrow();
  });

  it('is taken as it is when every key is a public Ed25519 key', () => {
    expect(parseVerifyKeys({ keys: [good] })).toEqual(
      new Map([['a', { kty: 'OKP', crv: 'Ed25519', x: minter.publicX }]]),
    );
  });
});
