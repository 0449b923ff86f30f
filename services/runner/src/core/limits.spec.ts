import { LIMIT_RANGES, type Limits, resolveLimits } from '@alga/contracts';
import fc from 'fast-check';
import { limitsOfCall } from './limits.ts';

const within = (name: keyof Limits) => fc.integer({ min: LIMIT_RANGES[name].minimum, max: LIMIT_RANGES[name].maximum });
const ceilings = fc.record({ timeoutMs: within('timeoutMs'), cpuMs: within('cpuMs'), memoryMb: within('memoryMb') });
const claimed = fc
  .record({ timeoutMs: within('timeoutMs'), cpuMs: within('cpuMs'), memoryMb: within('memoryMb') })
  .map((limits) => resolveLimits(limits));

describe('the limits of a call', () => {
  it('are the highest that neither the claims nor the ceilings forbid', () => {
    fc.assert(
      fc.property(claimed, ceilings, (claims, most) => {
        const { timeoutMs, cpuMs, memoryMb, ...others } = limitsOfCall(claims, most);
        expect(timeoutMs).toBe(Math.min(claims.timeoutMs, most.timeoutMs));
        expect(cpuMs).toBe(Math.min(claims.cpuMs, most.cpuMs, timeoutMs));
        expect(memoryMb).toBe(Math.min(claims.memoryMb, most.memoryMb));
        expect({ ...claims, ...others }).toEqual(claims);
      }),
    );
  });
});
