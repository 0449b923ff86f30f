import fc from 'fast-check';
import { ListeningClock } from './listening-clock.ts';

describe('the listening clock', () => {
  it('runs with time while we listen', () => {
    const clock = new ListeningClock(1000);
    expect(clock.tick(1100, true)).toBe(100);
    expect(clock.tick(1300, true)).toBe(300);
  });

  it('stands still while we do not listen', () => {
    const clock = new ListeningClock(0);
    clock.tick(100, true);
    expect(clock.tick(5_000, false)).toBe(100);
    expect(clock.tick(5_100, true)).toBe(200);
  });

  it('counts a stall of our own as one step', () => {
    const clock = new ListeningClock(0);
    expect(clock.tick(60_000, true)).toBe(250);
  });

  it('never goes backward, and never faster than time', () => {
    const steps = fc.array(fc.record({ elapsed: fc.integer({ min: -50, max: 2000 }), listening: fc.boolean() }));
    fc.assert(
      fc.property(steps, (all) => {
        const clock = new ListeningClock(0);
        let now = 0;
        let reading = 0;
        for (const { elapsed, listening } of all) {
          now += elapsed;
          const next = clock.tick(now, listening);
          expect(next - reading).toBeGreaterThanOrEqual(0);
          expect(next - reading).toBeLessThanOrEqual(Math.max(0, elapsed));
          reading = next;
        }
      }),
    );
  });
});
