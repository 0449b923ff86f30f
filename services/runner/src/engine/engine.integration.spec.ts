import { readFileSync } from 'node:fs';
import { bodyOf, createHarness, guestArtifact, type Harness, host, until } from './fixtures/harness.ts';
import type { HostHandler, LoadedArtifact } from './outcome.ts';

/** Looking into a process takes procfs. */
const onLinux = process.platform === 'linux' ? it : it.skip;

let artifact: LoadedArtifact;
let harness: Harness;

beforeAll(async () => {
  artifact = await guestArtifact();
}, 180_000);

beforeEach(() => {
  harness = createHarness(artifact);
});

afterEach(() => harness.engine.close());

/** A host whose http.fetch answers when it is told to. */
function stalledHost(): { handler: HostHandler; called: Promise<void>; release: () => void } {
  const called = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const handler: HostHandler = async (call) => {
    if (call.interface !== 'http') return host(call);
    called.resolve();
    await released.promise;
    return host(call);
  };
  return { handler, called: called.promise, release: released.resolve };
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('what a guest is given', () => {
  it('passes request and response through unchanged', async () => {
    const outcome = await harness.run('/echo', { body: 'héllo' });
    expect(outcome).toEqual({
      kind: 'response',
      status: 200,
      headers: [{ name: 'x-a', value: 'b' }],
      body: new TextEncoder().encode('héllo'),
    });
  });

  it('gives host values to the guest, and host errors as values of the WIT enum', async () => {
    expect(bodyOf(await harness.run('/secret'))).toEqual({ value: 's3cret', keys: { error: 'denied' } });
    expect(bodyOf(await harness.run('/config'))).toEqual({ region: 'eu', tenant: 'acme' });
    expect(bodyOf(await harness.run('/storage'))).toEqual({ revision: '7', missing: { error: 'missing' } });
    expect(bodyOf(await harness.run('/fetch'))).toEqual({ first: 201 });
  });

  it('answers `internal` for a host handler that throws, and reports the fault', async () => {
    const failing: HostHandler = async () => {
      // jose errors look like this: a payload of their own, full of claims, must not reach the guest.
      throw Object.assign(new Error('host bug'), { payload: 'claims' });
    };
    expect(bodyOf(await harness.run('/secret', { host: failing }))).toEqual({
      value: { error: 'internal' },
      keys: { error: 'internal' },
    });
    expect(harness.faults).toMatchObject([
      { kind: 'host_handler_threw', function: 'secrets#get' },
      { kind: 'host_handler_threw', function: 'secrets#listKeys' },
    ]);
  });

  it('ends the call where the host has no answer and the WIT has no error for it', async () => {
    const refusing: HostHandler = async (call) =>
      call.interface === 'context' ? { ok: false, error: 'denied' } : host(call);
    expect(await harness.run('/config', { host: refusing })).toEqual({
      kind: 'trap',
      message: 'the host has no answer to getContext',
    });
    expect(bodyOf(await harness.run('/config'))).toEqual({ region: 'eu', tenant: 'acme' });
    expect(harness.faults).toEqual([]);
  });

  it('runs components that were built against the unversioned package', async () => {
    const unversioned = createHarness(await guestArtifact({ unversioned: true }));
    try {
      expect(bodyOf(await unversioned.run('/secret'))).toEqual({ value: 's3cret', keys: { error: 'denied' } });
    } finally {
      await unversioned.engine.close();
    }
  }, 180_000);
});

describe('isolation', () => {
  it('I4: no state of a call is seen by the next, in order or at once', async () => {
    const fresh = { calls: 1, leftover: '' };
    expect(bodyOf(await harness.run('/state', { body: 'planted' }))).toEqual(fresh);
    const bodies = await Promise.all(Array.from({ length: 8 }, () => harness.run('/state', { body: 'planted' })));
    expect(bodies.map(bodyOf)).toEqual(Array.from({ length: 8 }, () => fresh));
    expect(harness.engine.stats().sandboxes).toHaveLength(1);
  });

  it('I5: two tenants never share a process, one tenant has one', async () => {
    await Promise.all(['acme', 'bolt', 'acme', 'bolt'].map((tenantId) => harness.run('/state', { tenantId })));
    const { sandboxes } = harness.engine.stats();
    expect(sandboxes.map(({ tenantId }) => tenantId).sort()).toEqual(['acme', 'bolt']);
    expect(new Set(sandboxes.map(({ pid }) => pid)).size).toBe(2);
  });

  onLinux('I3: a sandbox writes no core dump and has nothing of the environment', async () => {
    await harness.run('/state');
    const pid = harness.pidOf('acme');
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
    const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(names.filter((name) => name !== '' && !name?.startsWith('NODE_CHANNEL') && name !== 'PWD')).toEqual([]);
  });
});

describe('guests that misbehave', () => {
  it('reports a trap in a fixed text and goes on in the same process', async () => {
    await harness.run('/state');
    const pid = harness.pidOf('acme');
    const outcome = await harness.run('/throw');
    expect(outcome).toEqual({ kind: 'trap', message: 'unreachable' });
    expect(bodyOf(await harness.run('/state'))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
  });

  it('kills a loop at its deadline while another tenant is served', async () => {
    await Promise.all(['acme', 'bolt'].map((tenantId) => harness.run('/state', { tenantId })));
    const looping = harness.pidOf('acme');
    const loop = harness.run('/loop', { deadlineMs: 300 });
    let served = 0;
    let settled = false;
    void loop.then(() => {
      settled = true;
    });
    while (!settled) {
      expect((await harness.run('/state', { tenantId: 'bolt' })).kind).toBe('response');
      served++;
    }
    expect(served).toBeGreaterThan(0);
    expect(await loop).toEqual({ kind: 'timeout' });
    await until(() => !isAlive(looping));
    expect(harness.faults).toEqual([{ kind: 'sandbox_killed', tenantId: 'acme', reason: 'unresponsive' }]);
  });

  it('starts calls that waited behind a loop in a fresh process', async () => {
    await harness.run('/state');
    const loop = harness.run('/loop', { deadlineMs: 200 });
    expect(await loop).toEqual({ kind: 'timeout' });
    const behind = harness.run('/state');
    expect(bodyOf(await behind)).toEqual({ calls: 1, leftover: '' });
  });

  it('makes calls that were suspended beside a loop `crashed`, with the word that they had started', async () => {
    const { handler, called } = stalledHost();
    const neighbour = harness.run('/fetch', { host: handler });
    await called;
    expect(await harness.run('/loop', { deadlineMs: 200 })).toEqual({ kind: 'timeout' });
    expect(await neighbour).toEqual({ kind: 'crashed', signal: 'SIGKILL', exitCode: null, started: true });
  });

  it('ends a call that waits on the host at its deadline without touching its neighbours', async () => {
    const patient = stalledHost();
    const neighbour = harness.run('/fetch', { host: patient.handler });
    await patient.called;
    const pid = harness.pidOf('acme');
    const stuck = stalledHost();
    expect(await harness.run('/fetch', { host: stuck.handler, deadlineMs: 200 })).toEqual({ kind: 'timeout' });
    patient.release();
    expect(bodyOf(await neighbour)).toEqual({ first: 201 });
    expect(bodyOf(await harness.run('/state'))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
    expect(harness.faults).toEqual([]);
  });

  it('kills a guest that answers its cancellation by computing', async () => {
    await harness.run('/state');
    const pid = harness.pidOf('acme');
    expect(await harness.run('/wait-then-loop', { deadlineMs: 300 })).toEqual({ kind: 'timeout' });
    await until(() => !isAlive(pid));
  });

  it('stops a guest at its memory limit', async () => {
    expect(await harness.run('/allocate', { memoryMb: 32 })).toEqual({ kind: 'out_of_memory' });
    expect(bodyOf(await harness.run('/state'))).toEqual({ calls: 1, leftover: '' });
  });

  it('refuses an artifact that starts above the memory limit', async () => {
    expect(await harness.run('/state', { memoryMb: 1 })).toEqual({
      kind: 'not_loadable',
      message: 'a memory starts above its limit',
    });
  });

  it('survives unbounded recursion', async () => {
    const outcome = await harness.run('/recurse');
    expect(['trap', 'response', 'out_of_memory']).toContain(outcome.kind);
    expect(bodyOf(await harness.run('/state'))).toEqual({ calls: 1, leftover: '' });
  });

  it.each([
    ['/status', 'the status is not 200 to 599'],
    ['/header', 'the value of header x-a has a forbidden character or is too long'],
    ['/huge', 'the response is larger than 1040384 bytes'],
    ['/enormous', 'the response is too large'],
  ])('refuses the response of %s', async (url, message) => {
    expect(await harness.run(url)).toEqual({ kind: 'invalid_response', message });
  });

  it('bounds the number of host calls and their size', async () => {
    let lines = 0;
    const counting: HostHandler = async (call) => {
      if (call.interface === 'logging') lines++;
      return host(call);
    };
    expect(await harness.run('/chatty', { host: counting })).toEqual({
      kind: 'trap',
      message: 'more than 1000 host calls',
    });
    expect(lines).toBe(1_000);
    expect(harness.faults).toEqual([]);
    expect(await harness.run('/long-line', { host: counting })).toEqual({
      kind: 'trap',
      message: 'the arguments of a host call are too large',
    });
    expect(lines).toBe(1_000);
  });
});

describe('processes', () => {
  it('serves a burst that arrives before the sandbox is ready', async () => {
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => harness.run('/state')));
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 12 }, () => 'response'));
    expect(harness.engine.stats().sandboxes).toHaveLength(1);
  });

  it('replaces a sandbox that died while idle', async () => {
    await harness.run('/state');
    const pid = harness.pidOf('acme') ?? 0;
    process.kill(pid, 'SIGKILL');
    await until(() => harness.pidOf('acme') === undefined);
    expect(bodyOf(await harness.run('/state'))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).not.toBe(pid);
  });

  it('retires the sandbox that was idle longest to make room, and refuses where none is idle', async () => {
    const small = createHarness(artifact, { maxSandboxes: 2 });
    try {
      await small.run('/state', { tenantId: 'one' });
      const { handler, called, release } = stalledHost();
      const busy = small.run('/fetch', { tenantId: 'two', host: handler });
      await called;
      expect((await small.run('/state', { tenantId: 'three' })).kind).toBe('response');
      expect(small.pidOf('one')).toBeUndefined();
      const other = stalledHost();
      const busyToo = small.run('/fetch', { tenantId: 'three', host: other.handler });
      await other.called;
      expect(await small.run('/state', { tenantId: 'four' })).toEqual({ kind: 'overloaded' });
      release();
      other.release();
      expect((await Promise.all([busy, busyToo])).map(({ kind }) => kind)).toEqual(['response', 'response']);
    } finally {
      await small.engine.close();
    }
  });

  it('retires a sandbox that nobody calls', async () => {
    const brief = createHarness(artifact, { idleMs: 20 });
    try {
      await brief.run('/state');
      const pid = brief.pidOf('acme');
      await until(() => brief.pidOf('acme') === undefined && !isAlive(pid));
    } finally {
      await brief.engine.close();
    }
  });

  it('refuses more calls than a sandbox may have at once', async () => {
    const narrow = createHarness(artifact, { maxInFlightPerSandbox: 1 });
    try {
      const { handler, called, release } = stalledHost();
      const first = narrow.run('/fetch', { host: handler });
      await called;
      expect(await narrow.run('/state')).toEqual({ kind: 'overloaded' });
      release();
      expect((await first).kind).toBe('response');
    } finally {
      await narrow.engine.close();
    }
  });

  onLinux('I10: signals to the whole process group leave the ending to the runner', async () => {
    const { handler, called, release } = stalledHost();
    const running = harness.run('/fetch', { host: handler });
    await called;
    const pid = harness.pidOf('acme') ?? 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    release();
    expect((await running).kind).toBe('response');
  });

  it('I10: a drain takes no more calls and lets those in flight end', async () => {
    const { handler, called, release } = stalledHost();
    const running = harness.run('/fetch', { host: handler });
    await called;
    const drained = harness.engine.drain(10_000);
    expect(await harness.run('/state')).toEqual({ kind: 'overloaded' });
    release();
    expect(await drained).toBe(true);
    expect((await running).kind).toBe('response');
  });

  it('a drain that is not over in time says so, and close ends every process', async () => {
    const { handler, called } = stalledHost();
    const running = harness.run('/fetch', { host: handler });
    await called;
    const pid = harness.pidOf('acme');
    expect(await harness.engine.drain(10)).toBe(false);
    await harness.engine.close();
    expect(isAlive(pid)).toBe(false);
    expect((await running).kind).toBe('crashed');
  });
});
