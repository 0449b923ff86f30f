import fc from 'fast-check';
import { channels } from './channels.ts';
import { decodeFrame, decodeJson, encodeFrame, encodeJson, MAX_HEAD_BYTES } from './frame.ts';

const json = fc.jsonValue({ noUnicodeString: false });

describe('a frame', () => {
  it('gives back head and body as they were', () => {
    fc.assert(
      fc.property(json, fc.uint8Array({ maxLength: 200 }), (head, body) => {
        const decoded = decodeFrame(encodeFrame(head, body));
        expect(decoded).toEqual({ ok: true, value: { head: JSON.parse(JSON.stringify(head)), body } });
      }),
    );
  });

  it('is read the same wherever it lies in memory', () => {
    const frame = encodeFrame({ a: 1 }, Uint8Array.of(1, 2, 3));
    const shifted = new Uint8Array(frame.length + 3);
    shifted.set(frame, 3);
    expect(decodeFrame(shifted.subarray(3))).toEqual(decodeFrame(frame));
  });

  it('of random bytes is refused or read, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(typeof decodeFrame(bytes).ok).toBe('boolean');
        expect(channels.execute.request.decode(bytes).ok).toBe(false);
        expect(channels.execute.reply.decode(bytes).ok).toBe(false);
      }),
    );
  });

  it('that was cut short, flipped or lengthened in its head never throws', () => {
    const frame = encodeFrame({ requestId: 'req-12345678', nested: { list: [1, 2, 3] } }, Uint8Array.of(9, 9));
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.nat(255), fc.nat(frame.length), (at, byte, length) => {
        const mutant = frame.slice();
        mutant[at] = byte;
        expect(typeof decodeFrame(mutant.subarray(0, length)).ok).toBe('boolean');
      }),
    );
  });

  it.each([
    ['shorter than its prefix', Uint8Array.of(1, 0, 0)],
    ['with a head longer than itself', Uint8Array.of(9, 0, 0, 0, 123, 125)],
    ['with a head over the limit', Uint8Array.of(255, 255, 255, 255, 123, 125)],
    ['with invalid UTF-8', Uint8Array.of(3, 0, 0, 0, 34, 255, 34)],
    ['with a byte order mark alone', Uint8Array.of(3, 0, 0, 0, 239, 187, 191)],
  ])('%s is refused', (_, bytes) => {
    expect(decodeFrame(bytes).ok).toBe(false);
  });

  it('with a head over the limit is not written', () => {
    expect(() => encodeFrame('x'.repeat(MAX_HEAD_BYTES), new Uint8Array())).toThrow(RangeError);
  });

  it('decodes __proto__ as a key like any other, which the schemas then refuse', () => {
    const decoded = decodeJson(encodeJson(JSON.parse('{"__proto__":{"admin":true}}')));
    expect(decoded.ok && Object.keys(decoded.value as object)).toEqual(['__proto__']);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });
});
