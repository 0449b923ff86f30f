import fc from 'fast-check';
import { LogRate, LogRates } from './log-rate.ts';

describe('the log rate of an install', () => {
  it('never lets more lines through, in any span of time, than its burst and 100 for each second', () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(5_000), lines: fc.nat(3_000) }), { maxLength: 12 });
    fc.assert(
      fc.property(steps, (steps) => {
        let now = 0;
        const rate = new LogRate(() => now);
        const written: number[] = [];
        for (const { afterMs, lines } of steps) {
          now += afterMs;
          for (let line = 0; line < lines; line++) if (rate.take()) written.push(now);
        }
        written.forEach((first, index) => {
          const since = written.length - index;
          expect(since).toBeLessThanOrEqual(2_000 + ((now - first) / 1_000) * 100 + 1);
        });
      }),
      { numRuns: 20 },
    );
  });

  it('is there again as time passes', () => {
    let now = 0;
    const rate = new LogRate(() => now);
    while (rate.take());
    now += 1_000;
    expect(Array.from({ length: 200 }, () => rate.take()).filter(Boolean)).toHaveLength(100);
  });

  it('says what was dropped once there is a line for it, and each dropped line once', () => {
    let now = 0;
    const rate = new LogRate(() => now);
    expect(rate.toSay()).toBe(0);
    while (rate.take());
    rate.dropped(3);
    expect(rate.toSay()).toBe(0);
    rate.dropped(4);
    now += 10;
    expect([rate.toSay(), rate.toSay()]).toEqual([7, 0]);
  });

  it('is one for all requests of an install, and another for every other install', () => {
    const rates = new LogRates(() => 0);
    while (rates.of('acme', 'inst-1').take());
    expect(rates.of('acme', 'inst-1').take()).toBe(false);
    expect(rates.of('acme', 'inst-2').take()).toBe(true);
    expect(rates.of('globex', 'inst-1').take()).toBe(true);
  });

  it('is remembered for as many installs as there is room for, the busy ones first', () => {
    const rates = new LogRates(() => 0);
    while (rates.of('acme', 'busy').take());
    while (rates.of('acme', 'idle').take());
    for (let index = 0; index < 10_000; index++) {
      rates.of('acme', `other-${index}`);
      rates.of('acme', 'busy');
    }
    expect(rates.of('acme', 'busy').take()).toBe(false);
    expect(rates.of('acme', 'idle').take()).toBe(true);
  });
});
