import { isPlainData } from './plain-data.ts';

describe('isPlainData', () => {
  it('takes what WIT values are made of', () => {
    const value = { a: [1, 2n, true, null, undefined, 'x'], b: new Uint8Array(3), c: Object.create(null) };
    expect(isPlainData(value, 1_000)).toBe(true);
  });

  it.each([
    [new Map()],
    [new Set()],
    [new Date()],
    [/x/],
    [new Error('x')],
    [() => 1],
    [Symbol('x')],
    [new Float64Array(1)],
  ])('refuses %p', (value) => {
    expect(isPlainData({ value }, 1_000)).toBe(false);
  });

  it('counts bytes, characters, keys and the values themselves', () => {
    expect(isPlainData(new Uint8Array(100), 116)).toBe(true);
    expect(isPlainData(new Uint8Array(101), 116)).toBe(false);
    expect(isPlainData('x'.repeat(101), 116)).toBe(false);
    expect(isPlainData({ ['k'.repeat(101)]: 1 }, 116)).toBe(false);
    expect(isPlainData(new Array(1_000).fill(''), 1_000)).toBe(false);
  });

  it('refuses cycles and depth', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(isPlainData(cycle, 1_000_000)).toBe(false);
  });
});
