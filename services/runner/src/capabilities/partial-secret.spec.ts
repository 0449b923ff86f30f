import fc from 'fast-check';
import { partialHead, partialTail } from './partial-secret.ts';

const value = fc.string({ minLength: 7, maxLength: 40 });
/** Texts that share characters with the values, so that near misses are met. */
const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 40 });
const alike = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 20 });

describe('the end of a text', () => {
  it('is found to be the beginning of a value, however much of it is there', () => {
    fc.assert(
      fc.property(fc.string(), value, fc.nat(), (before, secret, length) => {
        const part = secret.slice(0, 6 + (length % (secret.length - 6)));
        const at = partialTail(before + part, ['another value', secret]);
        expect(at).toBeLessThanOrEqual(before.length);
      }),
    );
  });

  it('is where the longest beginning of any value stands, as comparing all of them finds it', () => {
    fc.assert(
      fc.property(text, fc.array(alike, { maxLength: 4 }), (all, values) => {
        const plain = Array.from({ length: all.length }, (_, at) => at).find((at) =>
          values.some(
            (secret) => all.length - at >= 6 && all.length - at < secret.length && secret.startsWith(all.slice(at)),
          ),
        );
        expect(partialTail(all, values)).toBe(plain ?? all.length);
      }),
    );
  });
});

describe('the start of a text', () => {
  it('is where the longest end of any value stands, as comparing all of them finds it', () => {
    fc.assert(
      fc.property(text, fc.array(alike, { maxLength: 4 }), (all, values) => {
        const plain = Array.from({ length: all.length + 1 }, (_, at) => all.length - at).find((upTo) =>
          values.some((secret) => upTo >= 6 && upTo < secret.length && secret.endsWith(all.slice(0, upTo))),
        );
        expect(partialHead(all, values)).toBe(plain ?? 0);
      }),
    );
  });
});
