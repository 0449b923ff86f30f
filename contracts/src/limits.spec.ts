import fc from 'fast-check';
import type { Limits, RequestedLimits } from './generated/types.ts';
import { DEFAULT_LIMITS, LIMIT_RANGES, resolveLimits } from './limits.ts';
import { parseManifest } from './manifest.ts';

const names = Object.keys(LIMIT_RANGES) as (keyof Limits)[];

const minimal = {
  manifestVersion: 1,
  extensionId: 'ticket-sync',
  version: '1.0.0',
  title: 'Ticket sync',
  runtime: 'component',
  component: 'component.wasm',
  capabilities: [],
};

const requested: fc.Arbitrary<RequestedLimits> = fc
  .record(
    Object.fromEntries(
      names.map((name) => [name, fc.integer({ min: LIMIT_RANGES[name].minimum, max: LIMIT_RANGES[name].maximum })]),
    ),
    { requiredKeys: [] },
  )
  .map((limits) => ({ ...limits }));

describe('the limits of a version', () => {
  it('are within the ranges by default, each of them', () => {
    expect(Object.keys(DEFAULT_LIMITS).sort()).toEqual([...names].sort());
    for (const name of names) {
      expect(DEFAULT_LIMITS[name]).toBeGreaterThanOrEqual(LIMIT_RANGES[name].minimum);
      expect(DEFAULT_LIMITS[name]).toBeLessThanOrEqual(LIMIT_RANGES[name].maximum);
    }
  });

  it.each(names)('take %s up to both ends of its range and no further', (name) => {
    const { minimum, maximum } = LIMIT_RANGES[name];
    for (const value of [minimum, maximum]) {
      expect(parseManifest({ ...minimal, limits: { [name]: value } })).toMatchObject({ ok: true });
    }
    for (const value of [minimum - 1, maximum + 1, minimum + 0.5, String(minimum), null]) {
      expect(parseManifest({ ...minimal, limits: { [name]: value } })).toMatchObject({
        ok: false,
        errors: [{ field: `/limits/${name}` }],
      });
    }
  });

  it('are what was asked for, else the default, and processor time never outlasts the wall time', () => {
    fc.assert(
      fc.property(requested, (limits) => {
        const { cpuMs, ...others } = resolveLimits(limits);
        const { cpuMs: wanted, ...expected } = { ...DEFAULT_LIMITS, ...limits };
        expect(others).toEqual(expected);
        expect(cpuMs).toBe(Math.min(wanted, expected.timeoutMs));
      }),
    );
  });

  it('stay the same when they are resolved again', () => {
    fc.assert(
      fc.property(requested, (limits) => {
        expect(resolveLimits(resolveLimits(limits))).toEqual(resolveLimits(limits));
      }),
    );
  });

  it('of a manifest are complete, whatever part of them it states', () => {
    fc.assert(
      fc.property(requested, (limits) => {
        expect(parseManifest({ ...minimal, limits })).toMatchObject({
          ok: true,
          manifest: { limits: resolveLimits(limits) },
        });
      }),
    );
  });
});
