import { guardBuildTime } from './build-time.ts';

class Crypto {
  getRandomValues(bytes: Uint8Array): Uint8Array {
    return bytes.fill(7);
  }
  randomUUID(): string {
    return 'uuid';
  }
}

/** A global scope of its own: the real one is needed by the test runner. */
function scope(): typeof globalThis {
  class OwnDate extends Date {
    static override now(): number {
      return 1_000;
    }
  }
  return {
    Math: Object.create(Math, { random: { value: () => 0.5, writable: true, configurable: true } }),
    Date: OwnDate,
    AbortSignal: { timeout: () => 'a signal' },
    crypto: new Crypto(),
    performance: { now: () => 2 },
    setTimeout: () => 3,
    setInterval: () => 4,
  } as unknown as typeof globalThis;
}

type Use = (global: typeof globalThis) => unknown;
const USES: [string, Use][] = [
  ['setTimeout', (global) => global.setTimeout(() => {}, 1)],
  ['setInterval', (global) => global.setInterval(() => {}, 1)],
  ['AbortSignal.timeout', (global) => global.AbortSignal.timeout(1)],
  ['Math.random', (global) => global.Math.random()],
  ['crypto.getRandomValues', (global) => global.crypto.getRandomValues(new Uint8Array(1))],
  ['crypto.randomUUID', (global) => global.crypto.randomUUID()],
  ['performance.now', (global) => global.performance.now()],
  ['Date.now', (global) => global.Date.now()],
  ['new Date()', (global) => new global.Date().getTime() > 0],
  ['Date()', (global) => typeof global.Date()],
];

describe('guardBuildTime', () => {
  it.each(USES)('makes %s an error at the top level that says where to call it', (name, use) => {
    const global = scope();
    guardBuildTime(global);
    expect(() => use(global)).toThrow(`${name} at the top level of a module: `);
    expect(() => use(global)).toThrow(/Call it in the handler/);
  });

  it.each(USES.filter(([name]) => name !== 'Date()'))(
    "gives %s back to the engine's own when serving begins",
    (_, use) => {
      const global = scope();
      const before = use(global);
      guardBuildTime(global)();
      expect(use(global)).toEqual(before);
    },
  );

  it('leaves the scope as it was, by identity, when serving begins', () => {
    const global = scope();
    const before = [global.Date, global.setTimeout, global.Math.random, Object.hasOwn(global.crypto, 'randomUUID')];
    const begin = guardBuildTime(global);
    expect(global.Date).not.toBe(before[0]);
    begin();
    begin();
    expect([global.Date, global.setTimeout, global.Math.random, Object.hasOwn(global.crypto, 'randomUUID')]).toEqual(
      before,
    );
    expect(global.Date).toBe(before[0]);
  });

  it('lets a function that a module took at the top level work in the handler', () => {
    const global = scope();
    const begin = guardBuildTime(global);
    const { now } = global.Date;
    const { random } = global.Math;
    const KeptDate = global.Date;
    begin();
    expect([now(), random(), new KeptDate() instanceof Date]).toEqual([1_000, 0.5, true]);
  });

  it('leaves dates that are told their time, and the rest of Date and Math', () => {
    const global = scope();
    guardBuildTime(global);
    const { Date: Guarded } = global;
    const date = new Guarded(0);
    expect([date.toISOString(), date instanceof Guarded, date instanceof Date]).toEqual([
      '1970-01-01T00:00:00.000Z',
      true,
      true,
    ]);
    expect([Guarded.parse('1970-01-02'), Guarded.UTC(1970, 0, 2), new Guarded('1970-01-02').getTime()]).toEqual([
      86_400_000, 86_400_000, 86_400_000,
    ]);
    expect(global.Math.max(1, 2)).toBe(2);
  });
});
