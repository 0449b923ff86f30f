import { randomBytes } from 'node:crypto';
import {
  bearerCredential,
  displayPrefix,
  hashApiKey,
  issueApiKey,
  refuseAdmin,
  refuseScopes,
  sameCredential,
} from './api-key.ts';

describe('an API key', () => {
  it('is issued with 256 random bits, an id without them, and an end if one was asked for', () => {
    const issued = issueApiKey(2, 1_000, randomBytes);
    expect(issued.key).toMatch(/^alga_[A-Za-z0-9_-]{43}$/);
    expect(issued.keyId).toMatch(/^key_[a-z2-7]{16}$/);
    expect(issued.expiresAt).toEqual(new Date(2 * 24 * 60 * 60 * 1000 + 1_000));
    expect(issueApiKey(undefined, 0, randomBytes).expiresAt).toBeUndefined();
    expect(displayPrefix(issued.key)).toHaveLength(9);
    expect(hashApiKey(issued.key)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('administers its own tenant with the scope admin, every tenant with the scope operator, else nothing', () => {
    expect(refuseAdmin({ keyId: 'k', tenantId: 'a', scopes: ['admin'] }, 'a')).toBeUndefined();
    expect(refuseAdmin({ keyId: 'k', tenantId: 'a', scopes: ['admin'] }, 'b')).toMatchObject({ code: 'forbidden' });
    expect(refuseAdmin({ keyId: 'k', tenantId: 'a', scopes: ['invoke', 'publish'] }, 'a')).toMatchObject({
      code: 'forbidden',
    });
    expect(refuseAdmin({ keyId: 'k', scopes: ['admin'] }, 'a')).toMatchObject({ code: 'forbidden' });
    expect(refuseAdmin({ keyId: 'k', scopes: ['operator'] }, 'a')).toBeUndefined();
    expect(refuseScopes({ keyId: 'k', tenantId: 'a', scopes: ['admin', 'publish'] }, ['publish'])).toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('a credential', () => {
  it('is read from one plain bearer header only', () => {
    expect(bearerCredential('Bearer alga_key-1')).toBe('alga_key-1');
    expect(bearerCredential('bearer alga_key-1')).toBe('alga_key-1');
    const odd = [
      undefined,
      '',
      'Bearer',
      'Bearer  two-spaces',
      'Basic YWxhZGRpbg==',
      'Bearer a b',
      `Bearer ${'x'.repeat(257)}`,
      'Bearer k\u00e4y-with-umlaut',
    ];
    for (const header of odd) expect(bearerCredential(header)).toBeUndefined();
  });

  it('equals itself alone, whatever the lengths', () => {
    expect(sameCredential('token', 'token')).toBe(true);
    for (const other of ['', 'tokem', 'token ', 'tok']) expect(sameCredential(other, 'token')).toBe(false);
  });
});
