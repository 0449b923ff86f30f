import fc from 'fast-check';
import { Pools } from './pool.ts';

const MIB = 1_048_576;
const instance = (mib: number) => ({ bytes: mib * MIB });
type Fake = ReturnType<typeof instance>;

describe('pools of instances at rest', () => {
  it('give an instance back to its own pool only, the most recently used first', () => {
    const pools = new Pools<Fake>();
    const [first, second] = [instance(1), instance(1)];
    pools.put('a/install-1/64', first, 0);
    pools.put('a/install-1/64', second, 0);
    expect(pools.take('a/install-2/64')).toBeUndefined();
    expect(pools.take('a/install-1/64')).toBe(second);
    expect(pools.take('a/install-1/64')).toBe(first);
    expect(pools.take('a/install-1/64')).toBeUndefined();
    expect(pools.bytes).toBe(0);
  });

  it('let go of what was used longest ago when there is no room', () => {
    const pools = new Pools<Fake>();
    const old = instance(90);
    pools.put('old', old, 0);
    pools.put('new', instance(90), 1);
    pools.put('new', instance(90), 2);
    expect(pools.take('old')).toBeUndefined();
    expect(pools.take('new')).toBeDefined();
    expect(pools.take('new')).toBeDefined();
  });

  it('do not keep what is larger than all the room there is', () => {
    const pools = new Pools<Fake>();
    pools.put('a', instance(200), 0);
    expect([pools.isEmpty('a'), pools.bytes]).toEqual([true, 0]);
  });

  it('let go of what has rested long, but for one', () => {
    const pools = new Pools<Fake>();
    for (let at = 0; at < 5; at++) pools.put('a', instance(1), at * 4_000);
    pools.trim(18_001);
    expect(pools.bytes).toBe(2 * MIB);
    pools.trim(100_000);
    expect(pools.bytes).toBe(1 * MIB);
  });

  it('count the bytes of what rests, and hold neither too many nor too much, whatever happens', () => {
    const step = fc.record({
      do: fc.constantFrom('put', 'put', 'put', 'take', 'trim', 'drop'),
      pool: fc.constantFrom('a/1/64', 'a/2/64', 'b/1/64'),
      mib: fc.integer({ min: 0, max: 40 }),
      wait: fc.nat({ max: 8_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const pools = new Pools<Fake>();
        const resting = new Map<string, Set<Fake>>();
        let now = 0;
        for (const { do: action, pool, mib, wait } of steps) {
          now += wait;
          if (action === 'put') {
            const fresh = instance(mib);
            pools.put(pool, fresh, now);
            resting.set(pool, (resting.get(pool) ?? new Set()).add(fresh));
          } else if (action === 'take') {
            const taken = pools.take(pool);
            // Never one that rests elsewhere, or that was given out before.
            if (taken !== undefined) expect(resting.get(pool)?.delete(taken)).toBe(true);
          } else if (action === 'trim') pools.trim(now);
          else pools.dropAll('a/');
          expect(pools.bytes).toBeLessThanOrEqual(192 * MIB);
        }
        for (const pool of resting.keys()) while (pools.take(pool) !== undefined);
        expect(pools.bytes).toBe(0);
      }),
    );
  });
});
