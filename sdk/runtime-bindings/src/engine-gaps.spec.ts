import { announceEngineGaps } from './engine-gaps.ts';

/** A global scope of its own: the real one is needed by the test runner. */
function scope(): typeof globalThis {
  const fake = {
    Math: Object.create(Math),
    Date,
    AbortSignal: {},
    crypto: {},
    performance: {},
  };
  announceEngineGaps(fake as unknown as typeof globalThis);
  return fake as unknown as typeof globalThis;
}

describe('announceEngineGaps', () => {
  it.each<[string, (global: typeof globalThis) => unknown]>([
    ['setTimeout', (global) => global.setTimeout(() => {}, 1)],
    ['setInterval', (global) => global.setInterval(() => {}, 1)],
    ['AbortSignal.timeout', (global) => global.AbortSignal.timeout(1)],
    ['fetch', (global) => global.fetch('https://a.example')],
    ['Math.random', (global) => global.Math.random()],
    ['crypto.getRandomValues', (global) => global.crypto.getRandomValues(new Uint8Array(1))],
    ['crypto.randomUUID', (global) => global.crypto.randomUUID()],
    ['performance.now', (global) => global.performance.now()],
    ['Date.now', (global) => global.Date.now()],
    ['Date.now', (global) => new global.Date()],
    ['Date.now', (global) => global.Date()],
  ])('makes %s an error that says what is missing', (name, use) => {
    expect(() => use(scope())).toThrow(`${name} is not available in an extension: `);
  });

  it('leaves dates that are told their time', () => {
    const { Date: Guarded } = scope();
    const date = new Guarded(0);
    expect([date.toISOString(), date instanceof Guarded, date instanceof Date]).toEqual([
      '1970-01-01T00:00:00.000Z',
      true,
      true,
    ]);
    expect([Guarded.parse('1970-01-02'), Guarded.UTC(1970, 0, 2), new Guarded('1970-01-02').getTime()]).toEqual([
      86_400_000, 86_400_000, 86_400_000,
    ]);
  });

  it('leaves the rest of Math', () => {
    expect(scope().Math.max(1, 2)).toBe(2);
  });
});
