import fc from 'fast-check';
import { memoryMaxima, StartsAboveLimit } from './instance.ts';

const memory = fc.record({ minPages: fc.nat({ max: 40 }), more: fc.nat({ max: 400 }) });

describe('memoryMaxima', () => {
  it('lets all memories of an instance together grow to the limit and no further', () => {
    fc.assert(
      fc.property(fc.array(fc.option(memory), { maxLength: 5 }), fc.nat({ max: 600 }), (memories, limit) => {
        const layout = memories.map((each, index) => ({
          name: `m${index}`,
          memory: each === null ? null : { minPages: each.minPages, maxPages: each.minPages + each.more },
        }));
        let maxima: ReturnType<typeof memoryMaxima>;
        try {
          maxima = memoryMaxima(layout, limit);
        } catch (error) {
          expect(error).toBeInstanceOf(StartsAboveLimit);
          return;
        }
        let total = 0;
        for (const { name, memory: declared } of layout) {
          const given = maxima.get(name);
          expect(given === undefined).toBe(declared === null);
          if (given === undefined || declared === null) continue;
          expect(given.initial).toBe(declared.minPages);
          expect(given.maximum).toBeGreaterThanOrEqual(given.initial);
          // What a module was compiled for: V8 refuses a memory that may grow further.
          expect(given.maximum).toBeLessThanOrEqual(declared.maxPages);
          total += given.maximum;
        }
        expect(total).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('gives what is left to the largest memory', () => {
    const layout = [
      { name: 'main', memory: { minPages: 145, maxPages: 8_192 } },
      { name: 'none', memory: null },
      { name: 'scratch', memory: { minPages: 0, maxPages: 8_192 } },
    ];
    expect(memoryMaxima(layout, 1_024)).toEqual(
      new Map([
        ['scratch', { initial: 0, maximum: 16 }],
        ['main', { initial: 145, maximum: 1_008 }],
      ]),
    );
  });
});
