import { type CallRecord, callConcurrently, percentile, staleReads } from './calls.ts';

const call = (sentAt: number, generation: number | undefined): CallRecord => ({
  sentAt,
  answeredAt: sentAt + 5,
  status: 200,
  generation,
});

describe('staleReads', () => {
  const acknowledgements = [
    { at: 100, generation: 2 },
    { at: 200, generation: 3 },
  ];

  it('finds a planted read of an older generation after its acknowledgement', () => {
    const stale = call(201, 2);
    expect(staleReads([call(50, 1), call(150, 2), stale, call(202, 3)], acknowledgements)).toEqual([stale]);
  });

  it('allows either generation while the acknowledgement is on its way', () => {
    expect(staleReads([call(99, 1), call(99, 2)], acknowledgements)).toEqual([]);
  });

  it('counts a call sent at the very moment of the acknowledgement', () => {
    expect(staleReads([call(100, 1)], acknowledgements)).toHaveLength(1);
  });
});

describe('callConcurrently', () => {
  it('keeps as many calls under way as there are callers, and records what fails', async () => {
    let underWay = 0;
    let most = 0;
    let made = 0;
    const records = await callConcurrently(
      4,
      async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        made += 1;
        const mine = made;
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        if (mine === 3) throw new Error('lost');
        return { status: 200, generation: 1 };
      },
      (finished) => finished.length >= 20,
    );
    expect(most).toBe(4);
    expect(records.length).toBeGreaterThanOrEqual(20);
    expect(records.filter(({ status }) => status !== 200)).not.toHaveLength(0);
  });
});

describe('percentile', () => {
  it('is taken from the sorted samples', () => {
    const samples = Array.from({ length: 100 }, (_, i) => 99 - i);
    expect([percentile(samples, 0.5), percentile(samples, 0.99), percentile(samples, 1)]).toEqual([50, 99, 99]);
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});
