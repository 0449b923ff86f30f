import { randomBytes } from 'node:crypto';
import { parse } from '@alga/contracts';
import { checkEnvelopeClaims, checkEnvelopeShape, envelopeClaims, envelopeHeader } from './envelope.ts';
import { install } from './test-support/installs.ts';

const NOW = 1_700_000_000_500;
const SECONDS = 1_700_000_000;
const claims = () => envelopeClaims(install(), NOW, randomBytes);
const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the claims', () => {
  it('match their schema, last 60 s and are unique', () => {
    expect(parse('envelope-claims', claims())).toMatchObject({ ok: true });
    expect(claims()).toMatchObject({ iat: SECONDS, exp: SECONDS + 60, sv: 7, configVersion: 2 });
    expect(claims().jti).not.toBe(claims().jti);
  });

  it('hold no capability or origin that was not granted (I6)', () => {
    const narrowed = install({
      grants: { capabilities: ['http.fetch', 'storage.read'], egress: ['https://evil.example'] },
    });
    expect(envelopeClaims(narrowed, NOW, randomBytes)).toMatchObject({ capabilities: ['storage.read'], egress: [] });
  });
});

describe('a token', () => {
  const shape = (header: unknown) => checkEnvelopeShape(`${segment(header)}.e30.AAAA`, 'kid-1');

  it('has our header to the byte', () => {
    expect(shape(envelopeHeader('kid-1'))).toBeUndefined();
  });

  it.each([
    ['no algorithm', { ...envelopeHeader('kid-1'), alg: 'none' }],
    ['a symmetric algorithm', { ...envelopeHeader('kid-1'), alg: 'HS256' }],
    ['another type', { ...envelopeHeader('kid-1'), typ: 'JWT' }],
    ['another key', envelopeHeader('kid-2')],
    ['a key path', envelopeHeader('../kid-1')],
    ['a key of its own', { ...envelopeHeader('kid-1'), jwk: {} }],
    ['a key address', { ...envelopeHeader('kid-1'), jku: 'https://evil.example' }],
    ['critical extensions', { ...envelopeHeader('kid-1'), crit: ['b64'], b64: false }],
  ])('is refused with %s', (_, header) => {
    expect(shape(header)).toMatchObject({ kind: 'invalid' });
  });

  it.each([
    ['a megabyte', `${segment(envelopeHeader('kid-1'))}.${'A'.repeat(1_000_000)}.AAAA`],
    ['two parts', `${segment(envelopeHeader('kid-1'))}.e30`],
    ['an empty part', `${segment(envelopeHeader('kid-1'))}..AAAA`],
    ['a trailing newline', `${segment(envelopeHeader('kid-1'))}.e30.AAAA\n`],
    ['loose low bits', `${segment(envelopeHeader('kid-1'))}.e30.AB`],
    ['padding', `${segment(envelopeHeader('kid-1'))}.e30.AA==`],
  ])('is refused as %s', (_, token) => {
    expect(checkEnvelopeShape(token, 'kid-1')).toMatchObject({ kind: 'invalid' });
  });
});

describe('signed claims', () => {
  const at = (changes: object, nowMs = NOW) => checkEnvelopeClaims({ ...claims(), ...changes }, nowMs).kind;

  it('hold from 5 s before they were made until 5 s after they end', () => {
    expect(at({}, NOW)).toBe('valid');
    expect(at({}, (SECONDS - 5) * 1000)).toBe('valid');
    expect(at({}, (SECONDS - 6) * 1000)).toBe('invalid');
    expect(at({}, (SECONDS + 64) * 1000)).toBe('valid');
    expect(at({}, (SECONDS + 65) * 1000)).toBe('expired');
  });

  it.each([
    ['no end', { exp: undefined }],
    ['an infinite end', { exp: Number.POSITIVE_INFINITY }],
    ['a long life', { exp: SECONDS + 61 }],
    ['an end before the start', { exp: SECONDS }],
    ['another audience', { aud: 'alga:broker' }],
    ['an audience list', { aud: ['alga:runner'] }],
    ['another issuer', { iss: 'alga:gateway' }],
    ['something extra', { admin: true }],
    ['a tenant that is none', { tenantId: '../x' }],
  ])('are refused with %s', (_, changes) => {
    expect(at(changes)).toBe('invalid');
  });
});
