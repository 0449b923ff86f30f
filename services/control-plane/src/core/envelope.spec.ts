import { randomBytes } from 'node:crypto';
import { CAPABILITIES, type Limits, parse, resolveLimits } from '@alga/contracts';
import fc from 'fast-check';
import { checkEnvelopeClaims, checkEnvelopeShape, envelopeClaims, envelopeHeader } from './envelope.ts';
import { install, release } from './test-support/installs.ts';

const NOW = 1_700_000_000_500;
const ORIGINS: readonly string[] = ['https://a.example', 'http://a.example', 'https://a.example:8443'];
const SECONDS = 1_700_000_000;
const claims = () => envelopeClaims(install(), NOW, randomBytes);
const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the claims', () => {
  it('match their schema, last 60 s and are unique', () => {
    expect(parse('envelope-claims', claims())).toMatchObject({ ok: true });
    expect(claims()).toMatchObject({ iat: SECONDS, exp: SECONDS + 60, sv: 7, configVersion: 2 });
    expect(claims().jti).not.toBe(claims().jti);
  });

  it('hold the limits that the version asked for and the defaults of the others, all of them', () => {
    const asked = { timeoutMs: 2_000, hostCalls: 7 };
    const narrow = install({ release: release({ limits: resolveLimits(asked) }) });
    expect(envelopeClaims(narrow, NOW, randomBytes).limits).toEqual({ ...resolveLimits(), ...asked, cpuMs: 2_000 });
  });

  it('are complete for what was installed before a limit existed', () => {
    const stored = release();
    const old = { timeoutMs: 3_000, memoryMb: 16 } as Limits;
    const claims = envelopeClaims(
      install({ release: { ...stored, manifest: { ...stored.manifest, limits: old } } }),
      NOW,
      randomBytes,
    );
    expect(parse('envelope-claims', claims)).toMatchObject({ ok: true });
    expect(claims.limits).toEqual(resolveLimits({ timeoutMs: 3_000, memoryMb: 16 }));
  });

  it('I6: hold a capability or an origin if and only if the manifest declares it and the tenant granted it', () => {
    const side = fc.record({
      capabilities: fc.uniqueArray(fc.constantFrom(...CAPABILITIES)),
      egress: fc.uniqueArray(fc.constantFrom(...ORIGINS)),
    });
    fc.assert(
      fc.property(side, side, (declared, grants) => {
        const claims = envelopeClaims(install({ release: release(declared), grants }), NOW, randomBytes);
        for (const part of ['capabilities', 'egress'] as const) {
          for (const item of part === 'capabilities' ? CAPABILITIES : ORIGINS) {
            expect(claims[part].includes(item)).toBe(declared[part].includes(item) && grants[part].includes(item));
          }
        }
        expect(parse('envelope-claims', claims)).toMatchObject({ ok: true });
      }),
    );
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
