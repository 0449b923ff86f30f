import type { FleetHeartbeat } from '@alga/contracts';
import fc from 'fast-check';
import { Fleet } from './fleet.ts';

const beat = (runnerId: string, sequence: number, more: Partial<FleetHeartbeat> = {}): FleetHeartbeat => ({
  runnerId,
  sequence,
  inFlight: 0,
  capacity: 64,
  draining: false,
  ...more,
});

describe('the fleet', () => {
  it('takes a runner for lost after 1000 ms without a heartbeat, and not before', () => {
    const fleet = new Fleet();
    fleet.hear(beat('r1', 1), 0);
    expect(fleet.choose('k', 1000)).toBe('r1');
    expect(fleet.sweep(1000)).toEqual([]);
    expect(fleet.choose('k', 1001)).toBeUndefined();
    expect(fleet.sweep(1001)).toEqual(['r1']);
    expect(fleet.sweep(1002)).toEqual([]);
  });

  it('is not kept alive by repeated or older heartbeats', () => {
    const fleet = new Fleet();
    fleet.hear(beat('r1', 5), 0);
    fleet.hear(beat('r1', 5), 900);
    fleet.hear(beat('r1', 4), 950);
    expect(fleet.sweep(1001)).toEqual(['r1']);
  });

  it('takes a runner back that was lost, whatever it counts from', () => {
    const fleet = new Fleet();
    fleet.hear(beat('r1', 500), 0);
    fleet.sweep(2000);
    fleet.hear(beat('r1', 0), 2100);
    expect(fleet.choose('k', 2200)).toBe('r1');
  });

  it('gives no call to a runner that is draining, full, or to be avoided', () => {
    const fleet = new Fleet();
    fleet.hear(beat('draining', 1, { draining: true }), 0);
    fleet.hear(beat('full', 1, { inFlight: 64 }), 0);
    fleet.hear(beat('avoided', 1), 0);
    expect(fleet.choose('k', 1, 'avoided')).toBeUndefined();
    expect(fleet.choose('k', 1)).toBe('avoided');
  });

  it('counts its own calls until they end, before a heartbeat tells of them', () => {
    const fleet = new Fleet();
    fleet.hear(beat('small', 1, { capacity: 1 }), 0);
    const ended = fleet.begin('small');
    expect(fleet.choose('k', 1)).toBeUndefined();
    ended();
    expect(fleet.choose('k', 1)).toBe('small');
  });

  it('does not count the calls of a lost runner against the one that comes back under its name', () => {
    const fleet = new Fleet();
    fleet.hear(beat('r1', 1, { capacity: 1 }), 0);
    const ended = fleet.begin('r1');
    fleet.sweep(2000);
    fleet.hear(beat('r1', 1, { capacity: 1 }), 2000);
    ended();
    const second = fleet.begin('r1');
    expect(fleet.choose('k', 2001)).toBeUndefined();
    second();
    expect(fleet.choose('k', 2001)).toBe('r1');
  });

  it('under any history chooses only a runner whose newest heartbeat is fresh and not draining', () => {
    const event = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      sequence: fc.nat(30),
      draining: fc.boolean(),
      wait: fc.nat(700),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.string(), (history, key) => {
        const fleet = new Fleet();
        const model = new Map<string, { sequence: number; draining: boolean; at: number }>();
        let now = 0;
        for (const { id, sequence, draining, wait } of history) {
          now += wait;
          for (const lost of fleet.sweep(now)) model.delete(lost);
          fleet.hear(beat(id, sequence, { draining }), now);
          if (sequence > (model.get(id)?.sequence ?? -1)) model.set(id, { sequence, draining, at: now });
          const chosen = fleet.choose(key, now);
          const eligible = [...model].filter(([, m]) => !m.draining && now - m.at <= 1000).map(([name]) => name);
          if (chosen === undefined) expect(eligible).toEqual([]);
          else expect(eligible).toContain(chosen);
        }
      }),
    );
  });
});
