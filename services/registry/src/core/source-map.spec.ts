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
    [{ version: 3, sections: [{ offset: { line: 0, column: 0 }, map: MAP }] }, 'has mappings that are not a string'],
    [{ ...MAP, sources: undefined }, 'has sources that are not a list of strings'],
    [{ ...MAP, sources: 'src/index.ts' }, 'has sources that are not a list of strings'],
    [{ ...MAP, sources: [null] }, 'has sources that are not a list of strings'],
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

  it('may say in its strings what would be values outside of them', () => {
    const text = '{"[,\\"'.repeat(50_000);
    expect(problemOf({ ...MAP, sourcesContent: [text] })).toBeUndefined();
    expect(problemOf({ ...MAP, sources: [text, '\\'] })).toBeUndefined();
  });
});
