import fc from 'fast-check';
import { Quarantine } from './quarantine.ts';

const HASH = 'sha256:poison';

describe('quarantine', () => {
  it('begins with the third crash in 60 s', () => {
    const quarantine = new Quarantine();
    expect(quarantine.crashed(HASH, 0)).toBe('counted');
    expect(quarantine.crashed(HASH, 30_000)).toBe('counted');
    expect(quarantine.admit(HASH, 30_001)).toEqual({ admitted: true, probe: false });
    expect(quarantine.crashed(HASH, 59_999)).toBe('quarantined');
    expect(quarantine.admit(HASH, 60_000)).toEqual({ admitted: false, retryAfterMs: 9_999 });
    expect(quarantine.admit('sha256:other', 60_000)).toEqual({ admitted: true, probe: false });
  });

  it('does not begin where crashes are further apart', () => {
    const quarantine = new Quarantine();
    for (let at = 0; at < 20; at++) expect(quarantine.crashed(HASH, at * 30_000)).toBe('counted');
  });

  it('lets one probe through after the pause, and ends where it survives', () => {
    const quarantine = new Quarantine();
    for (let at = 0; at < 3; at++) quarantine.crashed(HASH, at);
    expect(quarantine.admit(HASH, 10_002)).toEqual({ admitted: true, probe: true });
    expect(quarantine.admit(HASH, 10_003)).toMatchObject({ admitted: false });
    quarantine.probed(HASH, true, 10_010);
    expect(quarantine.admit(HASH, 10_011)).toEqual({ admitted: true, probe: false });
  });

  it('doubles the pause where the probe crashes, up to five minutes', () => {
    const quarantine = new Quarantine();
    for (let at = 0; at < 3; at++) quarantine.crashed(HASH, 0);
    let now = 10_000;
    for (const pauseMs of [20_000, 40_000, 80_000, 160_000, 300_000, 300_000]) {
      expect(quarantine.admit(HASH, now)).toEqual({ admitted: true, probe: true });
      expect(quarantine.crashed(HASH, now)).toBe('quarantined');
      expect(quarantine.admit(HASH, now)).toEqual({ admitted: false, retryAfterMs: pauseMs });
      now += pauseMs;
    }
  });

  it('makes the next call the probe where one did not come to run', () => {
    const quarantine = new Quarantine();
    for (let at = 0; at < 3; at++) quarantine.crashed(HASH, 0);
    expect(quarantine.admit(HASH, 10_000)).toEqual({ admitted: true, probe: true });
    quarantine.probed(HASH, false, 10_001);
    expect(quarantine.admit(HASH, 10_001)).toEqual({ admitted: true, probe: true });
  });

  it('begins anew where a probe that was not seen to end brings its sandbox down after all', () => {
    const quarantine = new Quarantine();
    for (let at = 0; at < 3; at++) quarantine.crashed(HASH, 0);
    expect(quarantine.admit(HASH, 10_000)).toEqual({ admitted: true, probe: true });
    quarantine.probed(HASH, false, 10_100);
    expect(quarantine.crashed(HASH, 10_350)).toBe('quarantined');
    expect(quarantine.admit(HASH, 10_350)).toEqual({ admitted: false, retryAfterMs: 20_000 });
  });

  it('never has two probes at once, and always ends in an answer', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ wait: fc.nat({ max: 20_000 }), crash: fc.boolean() })), (steps) => {
        const quarantine = new Quarantine();
        let now = 0;
        let probing = false;
        for (const { wait, crash } of steps) {
          now += wait;
          const admission = quarantine.admit(HASH, now);
          if (!admission.admitted) {
            expect(admission.retryAfterMs).toBeGreaterThan(0);
            continue;
          }
          expect(probing && admission.probe).toBe(false);
          probing = admission.probe;
          if (crash) quarantine.crashed(HASH, now);
          else if (probing) quarantine.probed(HASH, true, now);
          probing = false;
        }
      }),
    );
  });
});
