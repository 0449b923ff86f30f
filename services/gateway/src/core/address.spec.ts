import fc from 'fast-check';
import { readAddress } from './address.ts';

describe('the address of a call', () => {
  it.each([
    ['/api/ext/ticket-sync', 'ticket-sync', '/'],
    ['/api/ext/ticket-sync/', 'ticket-sync', '/'],
    ['/api/ext/ticket-sync?a=b', 'ticket-sync', '/?a=b'],
    ['/api/ext/ticket-sync/sync/now?a=b&a=c', 'ticket-sync', '/sync/now?a=b&a=c'],
    ['http://host:8480/api/ext/ticket-sync/x', 'ticket-sync', '/x'],
  ])('%s names %s and shows it %s', (target, extensionId, url) => {
    expect(readAddress(target)).toEqual({ ok: true, extensionId, url });
  });

  it.each([
    ['/api/ext/ticket-sync/%2e%2e/other', '/%2e%2e/other'],
    ['/api/ext/ticket-sync/../other', '/../other'],
    ['/api/ext/ticket-sync//a', '//a'],
    ['/api/ext/ticket-sync/a%2Fb', '/a%2Fb'],
    ['/api/ext/ticket-sync/?next=/api/ext/other', '/?next=/api/ext/other'],
  ])('%s is neither decoded nor normalised, and never leaves the extension', (target, url) => {
    expect(readAddress(target)).toEqual({ ok: true, extensionId: 'ticket-sync', url });
  });

  it.each(['/api/ext/%2e%2e/x', '/api/ext//x', '/api/ext/', '/api/ext/../x', '/api/ext/Ticket/x'])(
    '%s keeps what stands where the id should be, for the schema to refuse',
    (target) => {
      const address = readAddress(target);
      expect(address.ok && /^[a-z0-9-]+$/.test(address.extensionId)).toBe(false);
    },
  );

  it.each([
    ['/api/%65xt/a/', 'must begin with /api/ext/'],
    ['/other', 'must begin with /api/ext/'],
    ['/api/ext/a/%00', 'holds an encoded NUL'],
    ['/api/ext/a/%zz', 'holds a % that does not begin an escape'],
    ['/api/ext/a/\u00e9', 'holds a character that must be percent-encoded'],
    ['/api/ext/a/b#c', 'holds a character that must be percent-encoded'],
    ['/api/ext/a\\..\\b', 'holds a character that must be percent-encoded'],
    [`/api/ext/a/${'x'.repeat(8192)}`, 'is over 8192 characters'],
  ])('refuses %s', (target, reason) => {
    expect(readAddress(target)).toEqual({ ok: false, error: { field: 'url', reason } });
  });

  it('whatever it accepts is a url that the schema of the execute request accepts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (tail) => {
        const address = readAddress(`/api/ext/a${tail}`);
        if (address.ok) expect(address.url).toMatch(/^\/[\x21-\x7e]*$/);
      }),
    );
  });
});
