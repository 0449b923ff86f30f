import fc from 'fast-check';
import { parseGuestResponse as parseWithin } from './guest-response.ts';

const MAX_BYTES = 1_040_384;
const parseGuestResponse = (raw: unknown) => parseWithin(raw, MAX_BYTES);

const header = (name: string, value: string) => ({ status: 200, headers: [{ name, value }], body: undefined });

describe('parseGuestResponse', () => {
  it('passes a plain response, with an empty body as none', () => {
    const raw = { status: 201, headers: [{ name: 'Content-Type', value: 'text/plain' }], body: new Uint8Array([1]) };
    expect(parseGuestResponse(raw)).toEqual({ kind: 'response', ...raw });
    expect(parseGuestResponse({ status: 200, headers: [], body: new Uint8Array() })).toEqual({
      kind: 'response',
      status: 200,
      headers: [],
    });
  });

  it.each([99, 100, 101, 199, 600, 999, 200.5, Number.NaN, '200', null])('refuses status %p', (status) => {
    expect(parseGuestResponse({ status, headers: [] })).toMatchObject({ kind: 'invalid_response' });
  });

  it.each([
    ['x\r\ny', 'a'],
    ['', 'a'],
    ['a b', 'a'],
    ['x-a', 'b\r\nset-cookie: c=d'],
    ['x-a', 'b\nc'],
    ['x-a', 'b\u0000'],
    ['x-a', 'snow \u2603'],
    ['x-a', 'v'.repeat(8_193)],
    ['n'.repeat(257), 'v'],
    ['Connection', 'close'],
    ['Transfer-Encoding', 'chunked'],
    ['Keep-Alive', '1'],
    ['Upgrade', 'websocket'],
    ['TE', 'trailers'],
    ['Trailer', 'x'],
    ['Proxy-Authenticate', 'x'],
    ['X-Ext-Secrets-Version', '1'],
    ['Content-Length', '5'],
    ['Set-Cookie', 'a=b; Path=/; DOMAIN =example.com'],
  ])('refuses header %j: %j', (name, value) => {
    expect(parseGuestResponse(header(name, value))).toMatchObject({ kind: 'invalid_response' });
  });

  it('drops a right content-length and keeps a cookie without a domain', () => {
    expect(parseGuestResponse(header('content-length', '0'))).toEqual({
      kind: 'response',
      status: 200,
      headers: [],
    });
    expect(parseGuestResponse(header('set-cookie', 'a=b; Path=/'))).toMatchObject({ kind: 'response' });
  });

  it.each([204, 205, 304])('refuses a body with status %d', (status) => {
    expect(parseGuestResponse({ status, headers: [], body: new Uint8Array(1) })).toMatchObject({
      kind: 'invalid_response',
    });
  });

  it('refuses more than 128 headers and more bytes than a message carries', () => {
    const headers = Array.from({ length: 129 }, () => ({ name: 'a', value: 'b' }));
    expect(parseGuestResponse({ status: 200, headers })).toMatchObject({ kind: 'invalid_response' });
    const body = new Uint8Array(MAX_BYTES - 2);
    expect(parseGuestResponse({ status: 200, headers: [], body })).toMatchObject({ kind: 'response' });
    expect(parseGuestResponse({ status: 200, headers: headers.slice(1), body })).toMatchObject({
      kind: 'limit_exceeded',
      limit: 'responseBytes',
    });
  });

  it('never throws and never lets a line break through, whatever it is given', () => {
    const headers = fc.array(fc.record({ name: fc.string(), value: fc.string({ unit: 'binary' }) }), { maxLength: 4 });
    const raw = fc.oneof(fc.anything(), fc.record({ status: fc.integer({ min: 190, max: 610 }), headers }));
    fc.assert(
      fc.property(raw, (value) => {
        const parsed = parseGuestResponse(value);
        if (parsed.kind === 'response') expect(JSON.stringify(parsed.headers)).not.toMatch(/\\r|\\n/);
      }),
    );
  });
});
