import fc from 'fast-check';
import { parseChildMessage } from './child-message.ts';

const call = { type: 'host_call', call: 1, seq: 0, interface: 'secrets', function: 'get', args: ['key'] };

describe('parseChildMessage', () => {
  it('gives back well-formed messages, without members that it does not know', () => {
    expect(parseChildMessage({ ...call, extra: 1 })).toEqual(call);
    expect(parseChildMessage({ type: 'ready', extra: 1 })).toEqual({ type: 'ready' });
  });

  it.each([
    [{ ...call, call: -1 }],
    [{ ...call, call: 1.5 }],
    [{ ...call, call: 2 ** 60 }],
    [{ ...call, seq: '0' }],
    [{ ...call, interface: 'x'.repeat(65) }],
    [{ ...call, function: {} }],
    [{ ...call, args: { length: 1 } }],
    [{ ...call, args: new Array(9) }],
    [{ ...call, args: [new Map([['a', 1]])] }],
    [{ ...call, args: ['x'.repeat(1_400_000)] }],
    [{ type: 'failed', call: 1, reason: 'because', message: '' }],
    [{ type: '__proto__' }],
  ])('refuses %#', (message) => {
    expect(parseChildMessage(message)).toBeUndefined();
  });

  it('makes messages printable', () => {
    const parsed = parseChildMessage({ type: 'load_failed', artifact: 'a', message: 'a\r\n\u001b[31mb\u2028c' });
    expect(parsed).toEqual({ type: 'load_failed', artifact: 'a', message: 'a [31mb c' });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (message, args) => {
        parseChildMessage(message);
        parseChildMessage({ ...call, args });
        parseChildMessage({ type: 'finished', call: 1, response: args });
      }),
    );
  });
});
