import { RefusalCap } from './refusal-cap.ts';

describe('the cap on audited refusals', () => {
  it('lets 120 through in a minute, however many come, and as many in the next', () => {
    const cap = new RefusalCap();
    const minute = 1_800_000_000_000;
    const admitted = (from: number) =>
      Array.from({ length: 10_000 }, (_, n) => cap.admit(from + n)).filter(Boolean).length;
    expect(admitted(minute)).toBe(120);
    expect(admitted(minute + 20_000)).toBe(0);
    expect(admitted(minute + 60_000)).toBe(120);
  });
});
