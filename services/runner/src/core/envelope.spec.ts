import { createHmac } from 'node:crypto';
import type { EnvelopeClaims } from '@alga/contracts';
import { createJwsOpener } from '../adapters/jose-jws.ts';
import { claims, ENVELOPE_TYP, type KeyPair, sha256, sign, signingKeys } from '../test-support/tokens.ts';
import { createEnvelopeVerifier, type Envelope } from './envelope.ts';

let keys: KeyPair;
let retired: KeyPair;
let nowMs: number;

beforeAll(async () => {
  [keys, retired] = await Promise.all([signingKeys(), signingKeys()]);
});

beforeEach(() => {
  nowMs = Date.now();
});

function verifier(known: readonly KeyPair[] = [keys]) {
  const verified = new Map<string, Envelope>();
  const open = createJwsOpener(known.map(({ publicJwk }) => publicJwk));
  return createEnvelopeVerifier({ open, verified, nowMs: () => nowMs });
}

const segments = (token: string): [string, string, string] => token.split('.') as [string, string, string];
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

describe('an envelope', () => {
  it('is accepted as the control-plane signs it, and names its token by hash', async () => {
    const given = claims();
    const token = await sign(keys, ENVELOPE_TYP, given);
    expect(await verifier()(token)).toEqual({
      ok: true,
      envelope: { token, tokenSha256: sha256(token), claims: given },
    });
  });

  it('is accepted under each of several known keys, and under none that is not known any more', async () => {
    const token = await sign(retired, ENVELOPE_TYP, claims());
    expect((await verifier([keys, retired])(token)).ok).toBe(true);
    expect(await verifier([keys])(token)).toMatchObject({ ok: false, code: 'envelope_invalid' });
  });
});

describe('T: a token is refused as envelope_invalid', () => {
  const refuses = async (token: string): Promise<void> =>
    expect(await verifier()(token)).toMatchObject({ ok: false, code: 'envelope_invalid' });

  it.each<[string, object]>([
    ['another typ', { typ: 'alga-redeemed+jwt' }],
    ['an unknown kid', { kid: 'nobody' }],
    ['a kid that is a path', { kid: '../../etc/passwd' }],
    ['a kid that is a property of every object', { kid: '__proto__' }],
    ['a key of its own in the header', { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } }],
    ['a key address in the header', { jku: 'https://evil.example/keys' }],
    ['a certificate in the header', { x5c: ['AAAA'] }],
    ['a compression in the header', { zip: 'DEF' }],
  ])('with %s', async (_, header) => refuses(await sign(keys, ENVELOPE_TYP, claims(), header)));

  it('without signature (alg none)', async () => {
    const body = `${encode({ alg: 'none', typ: ENVELOPE_TYP, kid: keys.kid })}.${encode(claims())}`;
    await refuses(`${body}.`);
    await refuses(`${body}.${'A'.repeat(86)}`);
  });

  it('with an HMAC under the public key (alg HS256)', async () => {
    const body = `${encode({ alg: 'HS256', typ: ENVELOPE_TYP, kid: keys.kid })}.${encode(claims())}`;
    const mac = createHmac('sha256', Buffer.from(keys.publicJwk.x ?? '', 'base64url')).update(body);
    await refuses(`${body}.${mac.digest('base64url')}`);
  });

  it('with another payload under the same signature (tenant swap)', async () => {
    const [header, , signature] = segments(await sign(keys, ENVELOPE_TYP, claims()));
    await refuses(`${header}.${encode(claims({ tenantId: 'globex' }))}.${signature}`);
  });

  it('in a second spelling: changed low bits, padding, a trailing newline, white space', async () => {
    const token = await sign(keys, ENVELOPE_TYP, claims());
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet[alphabet.indexOf(token.at(-1) ?? '') + 1] ?? '';
    for (const spelling of [`${token.slice(0, -1)}${last}`, `${token}=`, `${token}\n`, ` ${token}`, `${token}.`]) {
      await refuses(spelling);
    }
  });

  it('with a member twice, of which two readers would take different ones', async () => {
    const text = JSON.stringify(claims());
    await refuses(await sign(keys, ENVELOPE_TYP, text.replace('{', '{"tenantId":"globex",')));
    await refuses(await sign(keys, ENVELOPE_TYP, text.replace(/"exp":\d+/, '"exp":1e400')));
  });

  it.each<[string, object]>([
    ['without exp', { exp: undefined }],
    ['with an endless life', { exp: Number.MAX_SAFE_INTEGER }],
    ['with a life of 61 s', { exp: Math.floor(Date.now() / 1000) + 61, iat: Math.floor(Date.now() / 1000) }],
    ['with exp before iat', { exp: 1 }],
    ['for another audience', { aud: 'alga:gateway' }],
    ['for several audiences', { aud: ['alga:runner'] }],
    ['from another issuer', { iss: 'alga:registry' }],
    ['with a claim that does not exist', { admin: true }],
    ['with a negative version floor', { sv: -1 }],
  ])('%s', async (_, overrides) =>
    refuses(await sign(keys, ENVELOPE_TYP, { ...claims(), ...(overrides as Partial<EnvelopeClaims>) })),
  );

  it('of a megabyte, without reading it', async () => refuses('a'.repeat(1024 * 1024)));

  it('that is no token at all', async () => {
    for (const text of ['', '..', 'a.b', 'a.b.c.d', '\u0000', '{}']) await refuses(text);
  });
});

describe('the window', () => {
  it('tolerates 5 s between the clocks and refuses 6 s, on both sides, each with its code', async () => {
    const given = claims();
    const token = await sign(keys, ENVELOPE_TYP, given);
    const verify = verifier();
    const at = async (seconds: number) => {
      nowMs = seconds * 1000;
      return verify(token);
    };
    expect(await at(given.iat - 5)).toMatchObject({ ok: true });
    expect(await at(given.iat - 6)).toMatchObject({ ok: false, code: 'envelope_invalid' });
    expect(await at(given.exp + 5)).toMatchObject({ ok: true });
    expect(await at(given.exp + 6)).toMatchObject({ ok: false, code: 'envelope_expired' });
  });

  it('is judged on every use: a remembered signature does not outlive its token', async () => {
    const verify = verifier();
    const token = await sign(keys, ENVELOPE_TYP, claims());
    expect(await verify(token)).toMatchObject({ ok: true });
    nowMs += 66_000;
    expect(await verify(token)).toMatchObject({ ok: false, code: 'envelope_expired' });
  });
});
