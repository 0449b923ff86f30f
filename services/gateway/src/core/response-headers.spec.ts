import { validateHeaderName, validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { clientResponseHeaders } from './response-headers.ts';

const headersOf = (...guest: [string, string][]) => {
  const read = clientResponseHeaders(guest.map(([name, value]) => ({ name, value })));
  return read.ok ? Object.fromEntries(read.headers) : read.error;
};
const OURS = {
  'cache-control': ['no-store'],
  'content-security-policy': ['sandbox'],
  'x-content-type-options': ['nosniff'],
};

describe("a guest's response headers", () => {
  it('lack cookies, everything else that acts on the shared origin, and what is ours to say', () => {
    const dropped = [
      ...['Set-Cookie', 'Clear-Site-Data', 'Strict-Transport-Security', 'Alt-Svc', 'Service-Worker-Allowed'],
      ...['Connection', 'Transfer-Encoding', 'Content-Length', 'Keep-Alive', 'Upgrade', 'Trailer'],
      ...['X-Ext-Secrets-Version', 'x-ext-anything', 'X-Request-Id', 'Server-Timing', 'Date', '__proto__'],
    ];
    expect(headersOf(...dropped.map((name): [string, string] => [name, 'v']))).toEqual(OURS);
  });

  it('lack what their connection header names', () => {
    expect(headersOf(['connection', 'x-hop'], ['x-hop', '1'])).toEqual(OURS);
  });

  it('may say how to cache, and only add to the policy for pages', () => {
    const guest = headersOf(
      ['Cache-Control', 'max-age=60'],
      ['Content-Security-Policy', 'default-src *; sandbox allow-scripts'],
      ['X-Content-Type-Options', 'sniff'],
    );
    expect(guest).toEqual({
      'cache-control': ['max-age=60'],
      'content-security-policy': ['default-src *; sandbox allow-scripts', 'sandbox'],
      'x-content-type-options': ['nosniff'],
    });
  });

  it('keep repetitions, but of those that may stand only once the first', () => {
    const guest = headersOf(
      ['Vary', 'a'],
      ['vary', 'b'],
      ['Content-Type', 'text/html'],
      ['content-type', 'text/plain'],
    );
    expect(guest).toMatchObject({ vary: ['a', 'b'], 'content-type': ['text/html'] });
  });

  it('are refused, naming the one, when HTTP cannot carry it', () => {
    expect(headersOf(['x-a', 'ok'], ['x-b', 'snow \u2603'])).toMatchObject({ field: 'headers/1' });
  });

  it('whatever is accepted, Node sends', () => {
    const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string({ unit: 'binary' }))), (guest) => {
        const read = clientResponseHeaders(guest.map(([name, value]) => ({ name, value })));
        for (const [name, values] of read.ok ? read.headers : []) {
          validateHeaderName(name);
          for (const value of values) validateHeaderValue(name, value);
        }
      }),
    );
  });
});
