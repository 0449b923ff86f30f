import fc from 'fast-check';
import { type ConfigValue, canonicalConfig } from './canonical-config.ts';

const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const entries = fc.uniqueArray(fc.tuple(fc.string(), value), { selector: ([key]) => key, maxLength: 12 });

describe('canonicalConfig', () => {
  it('is the same text whatever the order of the keys', () => {
    fc.assert(
      fc.property(entries, (list) => {
        expect(canonicalConfig(new Map(list))).toBe(canonicalConfig(new Map(list.toReversed())));
      }),
    );
  });

  it('is JSON that reads back as what went in', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const back = new Map<string, ConfigValue>(Object.entries(JSON.parse(canonicalConfig(new Map(list)))));
        // JSON writes -0 as 0, so that two equal configurations cannot differ by it.
        const expected = list.map(([key, v]) => [key, v === 0 ? 0 : v] as const);
        expect(back).toEqual(new Map(expected));
      }),
      { examples: [[[['__proto__', -0]]]] },
    );
  });

  it('is what JSON.stringify writes, with sorted keys and no space', () => {
    expect(
      canonicalConfig(
        new Map<string, ConfigValue>([
          ['b', 1.5],
          ['a', 'x\n'],
        ]),
      ),
    ).toBe('{"a":"x\\n","b":1.5}');
    expect(canonicalConfig(new Map())).toBe('{}');
  });
});
