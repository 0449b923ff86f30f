import { readFile } from 'node:fs/promises';
import { ROUTES } from '@alga/fixtures';
import { bodyOf, createHarness, guestArtifact } from './fixtures/harness.ts';

/** The watch reads procfs. */
const onLinux = process.platform === 'linux' ? it : it.skip;

/** The WAT guest, but for its loop: there it takes 175 MiB first, of which every page is written. */
async function holdingGuest(): Promise<string> {
  const source = await readFile(new URL('../../../shared/fixtures/guests/wat/guest.wat', import.meta.url), 'utf8');
  const grow = '(drop (memory.grow (i32.const 2800)))';
  const fill = '(memory.fill (i32.const 131072) (i32.const 7) (i32.const 183500800))';
  const holding = source.replace('(loop $forever', `${grow} ${fill} (loop $forever`);
  if (holding === source) throw new Error('the guest has no loop');
  return holding;
}

describe('a tenant whose process grows too large', () => {
  onLinux(
    'loses it: what ran in it ends as out of memory, and other tenants do not notice',
    async () => {
      const artifact = await guestArtifact('wat', { wat: await holdingGuest() });
      // The kernel's own limit is the sum of both, and must not be what stops the guest.
      const harness = createHarness(artifact, { sandboxMemoryMb: 160, heapMb: 768 });
      try {
        await Promise.all(['acme', 'bolt'].map((tenantId) => harness.run(ROUTES.state, { tenantId })));
        const before = { acme: harness.pidOf('acme'), bolt: harness.pidOf('bolt') };
        const limits = { memoryMb: 200 };
        // Each is within its own limit. The one that holds the thread is not over its deadline when the watch sees it.
        const outcomes = Promise.all(Array.from({ length: 3 }, () => harness.run(ROUTES.loop, { limits })));
        const neighbour = await Promise.all(
          Array.from({ length: 20 }, () => harness.run(ROUTES.state, { tenantId: 'bolt' })),
        );
        expect(neighbour.map(({ kind }) => kind)).toEqual(Array(20).fill('response'));
        expect(await outcomes).toEqual(Array(3).fill({ kind: 'out_of_memory' }));
        expect(harness.faults).toContainEqual({ kind: 'sandbox_killed', tenantId: 'acme', reason: 'memory' });
        expect(harness.faults.some((fault) => 'tenantId' in fault && fault.tenantId === 'bolt')).toBe(false);
        expect(bodyOf(await harness.run(ROUTES.state, { tenantId: 'bolt' }))).toEqual({ calls: 1, leftover: '' });
        expect(harness.pidOf('bolt')).toBe(before.bolt);
        expect(harness.pidOf('acme')).not.toBe(before.acme);
      } finally {
        await harness.engine.close();
      }
    },
    60_000,
  );
});
