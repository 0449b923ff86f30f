import { ROUTES } from '@alga/fixtures';
import fc from 'fast-check';
import { bodyOf, createHarness, guestArtifact, type Harness, legacyArtifact } from './fixtures/harness.ts';
import { bareInstance } from './fixtures/in-process.ts';
import { tableGuest } from './fixtures/table-guest.ts';
import type { LoadedArtifact } from './outcome.ts';

interface Case {
  readonly name: string;
  readonly artifact: () => Promise<LoadedArtifact>;
  /** Places that it plants in, at the least. */
  readonly places: number;
  readonly reusable: boolean;
}

const CASES: readonly Case[] = [
  { name: 'starlingmonkey', artifact: () => guestArtifact('starlingmonkey'), places: 29, reusable: true },
  { name: 'quickjs', artifact: () => guestArtifact('quickjs'), places: 26, reusable: true },
  { name: 'c', artifact: () => guestArtifact('c'), places: 6, reusable: true },
  { name: 'c with WASI', artifact: () => guestArtifact('c', { wasi: true }), places: 7, reusable: true },
  { name: 'legacy AssemblyScript', artifact: () => legacyArtifact('assemblyscript'), places: 4, reusable: true },
  // A table is nothing that can be put back.
  {
    name: 'table',
    artifact: async () => guestArtifact('wat', { wat: await tableGuest() }),
    places: 2,
    reusable: false,
  },
];

/** What a generated guest does before somebody looks for traces of it. */
const behaviour = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ url: ROUTES.plant, body: '' }) },
  { weight: 3, arbitrary: fc.record({ url: fc.constant(ROUTES.state), body: fc.string({ maxLength: 20 }) }) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(
        ...[ROUTES.secret, ROUTES.storage, ROUTES.fetch, ROUTES.log, ROUTES.config, ROUTES.surrogates, ROUTES.protoKey],
        ...[ROUTES.compute(50_000), ROUTES.chatty(5), ROUTES.sleep(1), ROUTES.grow(1)],
      )
      .map((url) => ({ url, body: '' })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(ROUTES.throw, ROUTES.status99, ROUTES.recurse, ROUTES.allocate, ROUTES.huge)
      .map((url) => ({ url, body: '' })),
  },
);

describe.each(CASES)('I4: a guest ($name)', ({ artifact, places, reusable }) => {
  let harness: Harness;

  beforeAll(async () => {
    harness = createHarness(await artifact());
  }, 180_000);

  afterAll(() => harness.engine.close());

  it('plants in every place that it can reach, and would find all of it again were nothing put back', async () => {
    // Were nothing found, nothing would have to be cleaned and the property below would prove nothing.
    const instance = await bareInstance(await artifact());
    expect(await instance.ask(ROUTES.probe)).toEqual([]);
    const planted = (await instance.ask(ROUTES.plant)) as readonly string[];
    expect(planted.length).toBeGreaterThanOrEqual(places);
    expect(await instance.ask(ROUTES.probe)).toEqual(planted);
  });

  it(reusable ? 'finds nothing in an instance that was put back' : 'is not used again', async () => {
    const instance = await bareInstance(await artifact());
    expect(await instance.ask(ROUTES.state)).toEqual({ calls: 1, leftover: '' });
    expect(instance.reset()).toBe(reusable);
    if (!reusable) return;
    expect(await instance.ask(ROUTES.state)).toEqual({ calls: 1, leftover: '' });
    await instance.ask(ROUTES.plant);
    // What left a handle open is thrown away instead.
    if (instance.reset()) expect(await instance.ask(ROUTES.probe)).toEqual([]);
  });

  it('finds nothing of any earlier request, whatever those did and however many ran at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(behaviour, { minLength: 1, maxLength: 5 }), { maxLength: 3 }),
        async (rounds) => {
          for (const round of rounds) {
            // `allocate` and `grow` need room to do harm in, but not much.
            const limits = { memoryMb: 48 };
            await Promise.all(round.map(({ url, body }) => harness.run(url, { body, limits })));
            const [probe, state] = await Promise.all([
              harness.run(ROUTES.probe, { limits }),
              harness.run(ROUTES.state, { limits, body: 'mine' }),
            ]);
            expect(bodyOf(probe)).toEqual([]);
            expect(bodyOf(state)).toEqual({ calls: 1, leftover: '' });
          }
        },
      ),
      { numRuns: 12, endOnFailure: true },
    );
  }, 120_000);
});

describe('I5: tenants', () => {
  it('never share a process, whatever is called, killed and retired in whichever order', async () => {
    const artifact = await guestArtifact('c');
    const tenants = ['acme', 'bolt', 'core', 'dune'];
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('call'), tenant: fc.constantFrom(...tenants) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('loop'), tenant: fc.constantFrom(...tenants) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('kill'), tenant: fc.constantFrom(...tenants) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        // Fewer sandboxes than tenants: some have to be retired for others.
        const harness = createHarness(artifact, { maxSandboxes: 2 });
        const tenantOf = new Map<number, string>();
        const look = (): void => {
          for (const { pid, tenantId } of harness.engine.stats().sandboxes) {
            if (pid === undefined) continue;
            expect(tenantOf.get(pid) ?? tenantId).toBe(tenantId);
            tenantOf.set(pid, tenantId);
          }
        };
        try {
          for (const { do: action, tenant } of steps) {
            if (action === 'kill') {
              const pid = harness.pidOf(tenant);
              if (pid !== undefined) process.kill(pid, 'SIGKILL');
            } else {
              const call = harness.run(action === 'call' ? ROUTES.state : ROUTES.loop, {
                tenantId: tenant,
                body: tenant,
                ...(action === 'loop' ? { deadlineMs: 60 } : {}),
              });
              look();
              const outcome = await call;
              if (outcome.kind === 'response') expect(bodyOf(outcome)).toEqual({ calls: 1, leftover: '' });
            }
            look();
          }
        } finally {
          await harness.engine.close();
        }
      }),
      { numRuns: 8 },
    );
  }, 120_000);
});
