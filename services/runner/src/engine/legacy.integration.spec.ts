import { ROUTES } from '@alga/fixtures';
import { bodyOf, createHarness, type Harness, host, legacyArtifact } from './fixtures/harness.ts';
import type { HostHandler } from './outcome.ts';

describe.each(['assemblyscript', 'wat'] as const)('a legacy core module (%s)', (kind) => {
  let harness: Harness;

  beforeAll(async () => {
    harness = createHarness(await legacyArtifact(kind));
  }, 60_000);

  afterAll(() => harness.engine.close());

  it('answers through the bridge, bytes and all', async () => {
    const outcome = await harness.run(ROUTES.echo, { body: 'h\u00e9llo' });
    expect(outcome).toMatchObject({ kind: 'response', status: 200, body: new TextEncoder().encode('h\u00e9llo') });
  });

  it('I4: begins each call anew', async () => {
    for (let call = 0; call < 5; call++) {
      expect(bodyOf(await harness.run(ROUTES.state, { body: 'planted' }))).toEqual({ calls: 1, leftover: '' });
    }
    const bodies = await Promise.all(Array.from({ length: 6 }, () => harness.run(ROUTES.state, { body: 'planted' })));
    expect(bodies.map(bodyOf)).toEqual(Array(6).fill({ calls: 1, leftover: '' }));
  });

  it('reaches the same host capabilities as a component', async () => {
    const asked: string[] = [];
    const listening: HostHandler = async (call) => {
      asked.push(`${call.interface}.${call.function}`);
      return host(call);
    };
    await harness.run(ROUTES.log, { host: listening });
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.every((name) => name.startsWith('logging.'))).toBe(true);
  });

  it('is interrupted at its deadline like a component', async () => {
    const pid = harness.pidOf('acme');
    expect(await harness.run(ROUTES.loop, { deadlineMs: 150 })).toEqual({ kind: 'timeout' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
  });

  it.each([ROUTES.trap, ROUTES.fail])('fails as a trap at %s, and goes on', async (url) => {
    expect(await harness.run(url)).toMatchObject({ kind: 'trap' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
  });
});

describe('outbound HTTP of a legacy core module', () => {
  it('waits for the host, and is told its refusals', async () => {
    const harness = createHarness(await legacyArtifact('assemblyscript'));
    try {
      expect(bodyOf(await harness.run(ROUTES.fetch))).toMatchObject({ status: 201 });
      const refusing: HostHandler = async (call) =>
        call.interface === 'http' ? { ok: false, error: 'not-allowed' } : host(call);
      expect(bodyOf(await harness.run(ROUTES.fetch, { host: refusing }))).toEqual({ error: 'not-allowed' });
    } finally {
      await harness.engine.close();
    }
  });
});
