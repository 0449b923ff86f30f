import { type Answers, type GuestKind, type GuestOptions, ROUTES } from '@alga/fixtures';
import { bodyOf, createHarness, guestArtifact, type Harness } from './fixtures/harness.ts';

const GUESTS: readonly { kind: GuestKind; options: GuestOptions }[] = [
  { kind: 'starlingmonkey', options: {} },
  { kind: 'c', options: { wasi: true } },
];
const SLEEP_MS = 40;

describe.each(GUESTS)('what WASI gives to a $kind guest', ({ kind, options }) => {
  let harness: Harness;

  beforeAll(async () => {
    harness = createHarness(await guestArtifact(kind, options));
  }, 180_000);

  afterAll(() => harness.engine.close());

  it('is other random bytes in each call, though the instance is the same', async () => {
    const drawn = new Set<string>();
    for (let call = 0; call < 4; call++) {
      const { bytes } = bodyOf(await harness.run(ROUTES.random)) as Answers['random'];
      expect(bytes).toHaveLength(8);
      drawn.add(JSON.stringify(bytes));
    }
    expect(drawn.size).toBe(4);
  });

  it('is the time in whole milliseconds', async () => {
    const before = Date.now();
    const { wall, monotonic } = bodyOf(await harness.run(ROUTES.now)) as Answers['now'];
    expect(wall).toBeGreaterThanOrEqual(before);
    expect(wall).toBeLessThanOrEqual(Date.now());
    expect([wall, monotonic].every(Number.isInteger)).toBe(true);
  });

  it('is a sleep that lasts as long as asked', async () => {
    await harness.run(ROUTES.state);
    const begun = performance.now();
    expect(bodyOf(await harness.run(ROUTES.sleep(SLEEP_MS)))).toEqual({ slept: true });
    // Timers may be early by what a clock of whole milliseconds cuts off.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(SLEEP_MS - 1);
  });
});
