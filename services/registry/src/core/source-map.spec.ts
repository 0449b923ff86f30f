import { sourceMapProblem } from './source-map.ts';

const MAP = { version: 3, mappings: 'AAAA;', sources: ['src/index.ts'] };
const problemOf = (map: unknown) =>
  sourceMapProblem(typeof map === 'string' ? Buffer.from(map) : Buffer.from(JSON.stringify(map)));

describe('a source map', () => {
  it.each([MAP, { ...MAP, sources: [], mappings: '' }, { ...MAP, names: [], sourcesContent: [null], file: 'a' }])(
    'of version 3 is taken: %j',
    (map) => {
      expect(problemOf(map)).toBeUndefined();
    },
  );

  it.each([
    ['', 'is not JSON'],
    [')]}\n{}', 'is not JSON'],
    ['['.repeat(50_000), 'is not JSON'],
    ['null', 'is not a JSON object'],
    ['[]', 'is not a JSON object'],
    ['3', 'is not a JSON object'],
    [{}, 'has a version other than 3'],
    [{ ...MAP, version: '3' }, 'has a version other than 3'],
    [{ ...MAP, version: 2 }, 'has a version other than 3'],
    [{ ...MAP, mappings: undefined }, 'has mappings that are not a string'],
    [{ ...MAP, mappings: ['AAAA'] }, 'has mappings that are not a string'],
    [{ version: 3, sections: [{ offset: { line: 0, column: 0 }, map: MAP }] }, 'has sections: it must be one map'],
    [{ ...MAP, sections: [{ offset: { line: 0, column: 0 }, map: MAP }] }, 'has sections: it must be one map'],
    [{ ...MAP, sections: null }, 'has sections: it must be one map'],
    [{ ...MAP, sources: undefined }, 'has sources that are not a list of strings'],
    [{ ...MAP, sources: 'src/index.ts' }, 'has sources that are not a list of strings'],
    [{ ...MAP, sources: [null] }, 'has sources that are not a list of strings'],
    [{ ...MAP, names: null }, 'has names that are not a list of strings'],
    [{ ...MAP, names: { length: 1e9 } }, 'has names that are not a list of strings'],
    [{ ...MAP, names: [{ toString: 1 }] }, 'has names that are not a list of strings'],
  ])('is refused for what is wrong with it: %j %s', (map, problem) => {
    expect(problemOf(map)).toBe(problem);
  });

  it('is refused when its text is not UTF-8', () => {
    expect(sourceMapProblem(Buffer.from([0x7b, 0xff, 0x7d]))).toBe('is not JSON');
  });

  it('may have 8 MiB, and not one byte more', () => {
    const padded = (bytes: number) => Buffer.from(JSON.stringify(MAP).padEnd(bytes));
    expect(sourceMapProblem(padded(8 * 1024 * 1024))).toBeUndefined();
    expect(sourceMapProblem(padded(8 * 1024 * 1024 + 1))).toBe('is over 8388608 bytes');
  });

  it('is not parsed when it consists of millions of values, which would stop the process', () => {
    for (const value of ['[]', '{}', '""', '0', '{"":{}}']) {
      const values = `${value},`.repeat(Math.floor((8 * 1024 * 1024 - 100) / (value.length + 1)));
      const started = performance.now();
      expect(problemOf(`{"version":3,"mappings":"","sources":[${values}""]}`)).toBe('has more than 100000 values');
      expect(performance.now() - started).toBeLessThan(500);
    }
  });

  it.each([
    ['places', 'AAAA,', 'has more than 150000 mappings'],
    ['places without a source', 'A,', 'has more than 150000 mappings'],
    ['lines', ';', 'has more than 150000 mappings'],
  ])('may map 150,000 %s, and not one more', (_what, segment, problem) => {
    const mappings = (count: number) => segment.repeat(count).slice(0, -1);
    expect(problemOf({ ...MAP, mappings: mappings(150_000) })).toBeUndefined();
    expect(problemOf({ ...MAP, mappings: mappings(150_001) })).toBe(problem);
  });

  it('may not hide length in a single number of its mappings', () => {
    expect(problemOf({ ...MAP, mappings: `${'g'.repeat(1_499_999)}A` })).toBeUndefined();
    expect(problemOf({ ...MAP, mappings: `${'g'.repeat(1_500_000)}A` })).toBe(
      'has mappings of more than 1500000 characters',
    );
  });

  it('may have 20,000 names and sources together, and not one more', () => {
    const strings = (count: number) => Array.from({ length: count }, (_, index) => `s${index}`);
    const problem = 'has more than 20000 names and sources';
    expect(problemOf({ ...MAP, sources: strings(15_000), names: strings(5_000) })).toBeUndefined();
    expect(problemOf({ ...MAP, sources: strings(15_000), names: strings(5_001) })).toBe(problem);
    expect(problemOf({ ...MAP, sources: strings(20_001) })).toBe(problem);
    expect(problemOf({ ...MAP, names: strings(20_000) })).toBe(problem);
  });

  it('may say in its strings what would be values outside of them', () => {
    const text = '{"[,\\"'.repeat(50_000);
    expect(problemOf({ ...MAP, sourcesContent: [text] })).toBeUndefined();
    expect(problemOf({ ...MAP, sources: [text, '\\'] })).toBeUndefined();
  });
});
