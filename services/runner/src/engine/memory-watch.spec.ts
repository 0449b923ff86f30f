import { jest } from '@jest/globals';
import { type Watched, watchMemory } from './memory-watch.ts';

const MIB = 1_048_576;
/** Longer than the watch waits between two looks. */
const ONE_LOOK_MS = 250;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

interface Given {
  readonly mib: number | undefined;
  readonly idle?: boolean;
}

/** What one look does to sandboxes that are given by name, the longest unused first, in the order in which it does it. */
function lookAt(given: Readonly<Record<string, Given>>, limits: { sandboxMib: number; totalMib: number }): string[] {
  const done: string[] = [];
  const ending = new Set<string>();
  const end = (name: string, how: string): void => {
    ending.add(name);
    done.push(`${how} ${name}`);
  };
  const sandboxes = Object.entries(given).map(([name, { mib, idle = false }]) => ({
    name,
    idle,
    watched: {
      residentBytes: () => (mib === undefined ? undefined : mib * MIB),
      killForMemory: () => end(name, 'kill'),
      get isEnding() {
        return ending.has(name);
      },
    } satisfies Watched,
  }));
  const watch = watchMemory({
    sandboxes: () => sandboxes.map(({ watched }) => watched),
    sandboxBytes: limits.sandboxMib * MIB,
    totalBytes: limits.totalMib * MIB,
    retireIdle: () => {
      const longest = sandboxes.find(({ name, idle }) => idle && !ending.has(name));
      if (longest !== undefined) end(longest.name, 'retire');
      return longest?.watched;
    },
  });
  jest.advanceTimersByTime(ONE_LOOK_MS);
  watch.stop();
  return done;
}

describe('the memory watch', () => {
  it('leaves sandboxes alone that are at their limit and at that of all', () => {
    const given = { a: { mib: 100 }, b: { mib: 100, idle: true } };
    expect(lookAt(given, { sandboxMib: 100, totalMib: 200 })).toEqual([]);
  });

  it('kills the one that is over its own limit, and nothing else: what it held does not count any more', () => {
    const given = { a: { mib: 90, idle: true }, b: { mib: 101 }, c: { mib: 90 } };
    expect(lookAt(given, { sandboxMib: 100, totalMib: 200 })).toEqual(['kill b']);
  });

  it('retires idle ones where all together are over the limit, the longest idle first, and no more than needed', () => {
    const given = {
      a: { mib: 90 },
      b: { mib: 20, idle: true },
      c: { mib: 60, idle: true },
      d: { mib: 60, idle: true },
    };
    expect(lookAt(given, { sandboxMib: 100, totalMib: 150 })).toEqual(['retire b', 'retire c']);
  });

  it('kills the largest where none is idle, until the rest fits', () => {
    const given = { a: { mib: 50 }, b: { mib: 90 }, c: { mib: 80 }, d: { mib: 40 } };
    expect(lookAt(given, { sandboxMib: 100, totalMib: 100 })).toEqual(['kill b', 'kill c']);
  });

  it('kills a busy one only when the idle ones were not enough', () => {
    const given = { a: { mib: 90 }, b: { mib: 20, idle: true }, c: { mib: 80 } };
    expect(lookAt(given, { sandboxMib: 100, totalMib: 100 })).toEqual(['retire b', 'kill a']);
  });

  it('does nothing where the kernel does not tell', () => {
    expect(lookAt({ a: { mib: undefined }, b: { mib: undefined } }, { sandboxMib: 1, totalMib: 1 })).toEqual([]);
  });

  it('looks no more once it is stopped', () => {
    let looks = 0;
    const options = { sandboxBytes: 1, totalBytes: 1, retireIdle: () => undefined };
    const watch = watchMemory({
      ...options,
      sandboxes: () => {
        looks++;
        return [];
      },
    });
    jest.advanceTimersByTime(ONE_LOOK_MS);
    expect(looks).toBe(1);
    watch.stop();
    jest.advanceTimersByTime(10 * ONE_LOOK_MS);
    expect(looks).toBe(1);
  });
});
