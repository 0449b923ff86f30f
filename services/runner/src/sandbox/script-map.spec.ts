import fc from 'fast-check';
import { ScriptMap } from './script-map.ts';

const MIB = 1_048_576;
const mapOf = (value: unknown): ScriptMap => new ScriptMap(new TextEncoder().encode(JSON.stringify(value)));
const PLAIN = { version: 3, sources: ['src/index.ts'], mappings: 'AASE' };

describe('the source map of a script', () => {
  it('is read once, when it is first asked', () => {
    const bytes = new TextEncoder().encode(JSON.stringify(PLAIN));
    const map = new ScriptMap(bytes);
    expect(map.originalPlace(1, 1)).toBe('src/index.ts:10:3');
    bytes.fill(0);
    expect(map.originalPlace(1, 1)).toBe('src/index.ts:10:3');
    const broken = new ScriptMap(bytes);
    expect(broken.originalPlace(1, 1)).toBeUndefined();
    bytes.set(new TextEncoder().encode(JSON.stringify(PLAIN)));
    expect(broken.originalPlace(1, 1)).toBeUndefined();
  });

  it.each([
    ['of another version', { ...PLAIN, version: 2 }],
    ['of too many bytes', { ...PLAIN, sourcesContent: ['x'.repeat(8 * MIB)] }],
    ['of too many mappings', { ...PLAIN, mappings: `AASE${',A'.repeat(MIB)}` }],
    ['of too many sources', { ...PLAIN, sources: Array.from({ length: 20_001 }, () => 'src/index.ts') }],
    [
      'of sections instead of mappings',
      { version: 3, sources: [], sections: [{ offset: { line: 0, column: 0 }, map: PLAIN }] },
    ],
  ])('is not read where it is %s', (_name, value) => {
    expect(mapOf(PLAIN).originalPlace(1, 1)).toBe('src/index.ts:10:3');
    expect(mapOf(value).originalPlace(1, 1)).toBeUndefined();
  });

  it('names a place or nothing, whatever is in it: it never throws', () => {
    const hostile = fc.oneof(fc.jsonValue(), fc.constant([{ toString: 1 }]), fc.constant([null]));
    const mappings = fc.oneof(fc.jsonValue(), fc.string({ unit: fc.constantFrom(...'AACDS9+/,;') }));
    const value = fc.record(
      { version: fc.constant(3), sources: hostile, names: hostile, mappings, sections: hostile, lineLengths: hostile },
      { requiredKeys: ['version'] },
    );
    fc.assert(
      fc.property(fc.oneof(value, fc.jsonValue()), (map) => {
        expect(['string', 'undefined']).toContain(typeof mapOf(map).originalPlace(1, 1));
      }),
    );
  });
});
