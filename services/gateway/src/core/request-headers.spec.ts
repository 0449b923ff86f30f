import { parse } from '@alga/contracts';
import fc from 'fast-check';
import { guestRequestHeaders } from './request-headers.ts';

const names = (raw: string[]) => {
  const read = guestRequestHeaders(raw);
  return read.ok ? read.headers.map(({ name }) => name) : read.error;
};

describe('the request headers that a guest sees', () => {
  it('lack credentials, connection headers, framing, and what only our side may say', () => {
    const dropped = [
      ...['Authorization', 'X-API-Key', 'Cookie', 'Host', 'Content-Length', 'Transfer-Encoding', 'Connection', 'TE'],
      ...['Keep-Alive', 'Upgrade', 'Proxy-Authorization', 'Expect', 'Trailer', 'X-Forwarded-For', 'Forwarded'],
      ...['Alga-Deadline-Ms', 'alga-attempt', 'X-Ext-Secrets-Version', 'X-Request-Id'],
    ];
    expect(names([...dropped.flatMap((name) => [name, 'v']), 'Accept', '*/*'])).toEqual(['accept']);
  });

  it('lack what the connection header names', () => {
    expect(names(['Connection', 'close, X-Hop', 'X-Hop', '1', 'X-Other', '2'])).toEqual(['x-other']);
  });

  it('keep repetitions, order and names that are traps for objects', () => {
    const raw = ['X-A', '1', '__proto__', 'polluted', 'x-a', '2', 'constructor', 'c'];
    expect(guestRequestHeaders(raw)).toEqual({
      ok: true,
      headers: [
        { name: 'x-a', value: '1' },
        { name: '__proto__', value: 'polluted' },
        { name: 'x-a', value: '2' },
        { name: 'constructor', value: 'c' },
      ],
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    [Array.from({ length: 258 }, (_, index) => (index % 2 === 0 ? `x-${index}` : 'v')), 'headers'],
    [['x'.repeat(257), 'v'], 'headers'],
    [['bad name', 'v'], 'headers'],
    [['x-big', 'v'.repeat(8193)], 'headers/x-big'],
    [['x-split', 'a\r\nb: c'], 'headers/x-split'],
  ])('are refused, naming the field, when out of bounds (case %#)', (raw, field) => {
    expect(names(raw)).toMatchObject({ field });
  });

  it('whatever it accepts, the schema of the execute request accepts', () => {
    const pair = fc.tuple(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 140 }), (pairs) => {
        const read = guestRequestHeaders(pairs.flat());
        if (!read.ok) return;
        const head = {
          requestId: 'request-1',
          tenantId: 'acme',
          extensionId: 'x',
          installId: 'x-1',
          config: '{}',
          envelope: 'aaaaaaaa.bbbbbbbb.cccccccc',
          http: { method: 'GET', url: '/', headers: read.headers, hasBody: false },
        };
        expect(parse('execute-request-head', head)).toMatchObject({ ok: true });
      }),
    );
  });
});
