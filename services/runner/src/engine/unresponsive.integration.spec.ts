// A process that neither its own watchdog nor a message reaches: it loops in glue, where no check is.
import { artifactOfGlue, createHarness, type Harness, until } from './fixtures/harness.ts';

const LOOPING_GLUE = `
export async function instantiate() {
  return {
    handler(request) {
      if (request.http.url === '/loop') for (;;);
      return { status: 200, headers: [] };
    },
    state: { save() {}, restore: () => true },
  };
}
`;
const DEADLINE_MS = 100;
const GRACE_MS = 250;
/** On a busy machine the process may have to wait for the processor time that condemns it. */
const MARGIN_MS = 2_000;

let harness: Harness;

beforeEach(() => {
  harness = createHarness(artifactOfGlue(new TextEncoder().encode(LOOPING_GLUE)));
});

afterEach(() => harness.engine.close());

/** Lets a call loop until its process is gone; how long that took, in ms. */
async function loseProcess(): Promise<number> {
  const pid = harness.pidOf('acme');
  const begun = performance.now();
  expect(await harness.run('/loop', { deadlineMs: DEADLINE_MS })).toEqual({ kind: 'timeout' });
  expect(performance.now() - begun).toBeGreaterThanOrEqual(DEADLINE_MS - 1);
  // The caller does not wait for the killing.
  expect(harness.pidOf('acme')).toBe(pid);
  await until(() => harness.pidOf('acme') === undefined);
  return performance.now() - begun;
}

describe('a process that does not answer', () => {
  it('is killed soon after the deadline; the next call has a fresh one, and no other tenant notices', async () => {
    await Promise.all(['acme', 'bolt'].map((tenantId) => harness.run('/', { tenantId })));
    const before = { acme: harness.pidOf('acme'), bolt: harness.pidOf('bolt') };
    expect(await loseProcess()).toBeLessThan(DEADLINE_MS + GRACE_MS + MARGIN_MS);
    expect(harness.faults).toEqual([{ kind: 'sandbox_killed', tenantId: 'acme', reason: 'unresponsive' }]);
    expect((await harness.run('/')).kind).toBe('response');
    expect(harness.pidOf('acme')).not.toBe(before.acme);
    expect((await harness.run('/', { tenantId: 'bolt' })).kind).toBe('response');
    expect(harness.pidOf('bolt')).toBe(before.bolt);
  });

  it('answers a call that comes meanwhile from the fresh one', async () => {
    await harness.run('/');
    const pid = harness.pidOf('acme');
    await harness.run('/loop', { deadlineMs: DEADLINE_MS });
    expect((await harness.run('/')).kind).toBe('response');
    expect(harness.pidOf('acme')).not.toBe(pid);
  });

  it('puts its component into quarantine when that has happened three times, for this tenant only', async () => {
    for (let time = 0; time < 3; time++) {
      expect((await harness.run('/')).kind).toBe('response');
      await loseProcess();
    }
    const refused = await harness.run('/');
    if (refused.kind !== 'quarantined') throw new Error(`not quarantined but ${refused.kind}`);
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(10_000);
    expect((await harness.run('/', { tenantId: 'bolt' })).kind).toBe('response');
    expect(harness.faults.filter(({ kind }) => kind === 'component_quarantined')).toHaveLength(1);
  });
});
