import fc from 'fast-check';
import { place } from './rendezvous.ts';

const member = fc.record({
  id: fc.stringMatching(/^[a-z0-9]{1,8}$/),
  load: fc.nat(80),
  capacity: fc.integer({ min: 1, max: 64 }),
});
const members = fc.uniqueArray(member, { selector: ({ id }) => id, maxLength: 12 });
const idle = (...ids: string[]) => ids.map((id) => ({ id, load: 0, capacity: 64 }));

describe('placing a call', () => {
  it('finds a member exactly when one has room', () => {
    fc.assert(
      fc.property(fc.string(), members, (key, all) => {
        const chosen = place(key, all);
        expect(chosen !== undefined).toBe(all.some(({ load, capacity }) => load < capacity));
        if (chosen !== undefined) expect(chosen.load).toBeLessThan(chosen.capacity);
      }),
    );
  });

  it('does not depend on the order in which members are known', () => {
    fc.assert(
      fc.property(fc.string(), members, (key, all) => {
        expect(place(key, all.toReversed())?.id).toBe(place(key, all)?.id);
      }),
    );
  });

  it('moves only the keys of the member that goes', () => {
    fc.assert(
      fc.property(fc.string(), members, (key, all) => {
        const calm = all.map((m) => ({ ...m, load: 0 }));
        const chosen = place(key, calm);
        const other = calm.find(({ id }) => id !== chosen?.id);
        if (other !== undefined)
          expect(
            place(
              key,
              calm.filter((m) => m !== other),
            )?.id,
          ).toBe(chosen?.id);
      }),
    );
  });

  it('passes over a member above its fair share, however much its keys prefer it', () => {
    fc.assert(
      fc.property(fc.string(), members, (key, all) => {
        const chosen = place(key, all);
        const open = all.filter(({ load, capacity }) => load < capacity);
        const fair = (1.25 * (open.reduce((sum, { load }) => sum + load, 0) + 1)) / open.length;
        if (chosen !== undefined) expect(chosen.load).toBeLessThan(Math.max(4, Math.ceil(fair)));
      }),
    );
  });

  it('spreads keys over all members', () => {
    const counts = new Map<string | undefined, number>();
    for (let index = 0; index < 3000; index += 1) {
      const id = place(`tenant-${index}/ext`, idle('a', 'b', 'c'))?.id;
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const id of ['a', 'b', 'c']) expect(counts.get(id)).toBeGreaterThan(850);
  });
});
