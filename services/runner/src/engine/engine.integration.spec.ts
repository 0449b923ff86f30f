import { readFileSync } from 'node:fs';
import { CONSOLE_LINES, ROUTES, THROWN, throwFrames } from '@alga/fixtures';
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
    const outcome = await harness.run(ROUTES.echo, { body: 'héllo' });
    expect(outcome).toEqual({
      kind: 'response',
      status: 200,
      headers: [{ name: 'x-a', value: 'b' }],
      body: new TextEncoder().encode('héllo'),
    });
  });

  it.each(['starlingmonkey', 'quickjs', 'c'] as const)(
    'gives host values to a %s guest, and host errors as values of the WIT enum',
    async (kind) => {
      const guest = createHarness(await guestArtifact(kind));
      try {
        expect(bodyOf(await guest.run(ROUTES.secret))).toEqual({ value: 's3cret', keys: { error: 'denied' } });
        expect(bodyOf(await guest.run(ROUTES.config))).toMatchObject({ region: 'eu' });
        expect(bodyOf(await guest.run(ROUTES.context))).toMatchObject({ tenantId: 'acme' });
        expect(bodyOf(await guest.run(ROUTES.storage))).toMatchObject({ revision: '7', missing: { error: 'missing' } });
        expect(bodyOf(await guest.run(ROUTES.fetch))).toMatchObject({ status: 201 });
      } finally {
        await guest.engine.close();
      }
    },
    180_000,
  );

  it('answers `internal` for a host handler that throws, and reports the fault', async () => {
    const failing: HostHandler = async () => {
      // jose errors look like this: a payload of their own, full of claims, must not reach the guest.
      throw Object.assign(new Error('host bug'), { payload: 'claims' });
    };
    expect(bodyOf(await harness.run(ROUTES.secret, { host: failing }))).toEqual({
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
    expect(await harness.run(ROUTES.context, { host: refusing })).toEqual({
      kind: 'trap',
      message: 'the host has no answer to getContext',
    });
    expect(bodyOf(await harness.run(ROUTES.context))).toMatchObject({ tenantId: 'acme' });
    expect(harness.faults).toEqual([]);
  });

  it('runs components that were built against the unversioned package', async () => {
    const unversioned = createHarness(await guestArtifact('starlingmonkey', { unversioned: true }));
    try {
      expect(bodyOf(await unversioned.run(ROUTES.secret))).toEqual({ value: 's3cret', keys: { error: 'denied' } });
    } finally {
      await unversioned.engine.close();
    }
  }, 180_000);
});

describe('isolation', () => {
  it('I4: no state of a call is seen by the next, in order or at once', async () => {
    const fresh = { calls: 1, leftover: '' };
    expect(bodyOf(await harness.run(ROUTES.state, { body: 'planted' }))).toEqual(fresh);
    const bodies = await Promise.all(Array.from({ length: 8 }, () => harness.run(ROUTES.state, { body: 'planted' })));
    expect(bodies.map(bodyOf)).toEqual(Array.from({ length: 8 }, () => fresh));
    expect(harness.engine.stats().sandboxes).toHaveLength(1);
  });

  it('I5: two tenants never share a process, one tenant has one', async () => {
    await Promise.all(['acme', 'bolt', 'acme', 'bolt'].map((tenantId) => harness.run(ROUTES.state, { tenantId })));
    const { sandboxes } = harness.engine.stats();
    expect(sandboxes.map(({ tenantId }) => tenantId).sort()).toEqual(['acme', 'bolt']);
    expect(new Set(sandboxes.map(({ pid }) => pid)).size).toBe(2);
  });

  onLinux('I3: a sandbox writes no core dump and has nothing of the environment', async () => {
    await harness.run(ROUTES.state);
    const pid = harness.pidOf('acme');
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s+0\s/m);
    const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(names.filter((name) => name !== '' && !name?.startsWith('NODE_CHANNEL') && name !== 'PWD')).toEqual([]);
  });
});

describe('guests that misbehave', () => {
  it('reports a trap in a fixed text, with the guest’s words beside it, and goes on in the same process', async () => {
    await harness.run(ROUTES.state);
    const pid = harness.pidOf('acme');
    const outcome = await harness.run(ROUTES.throw);
    expect(outcome).toMatchObject({ kind: 'trap', message: 'unreachable' });
    expect(outcome).toMatchObject({ guest: { message: expect.stringContaining(THROWN) } });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
  });

  it.each(['starlingmonkey', 'quickjs'] as const)(
    'tells the author of a %s guest where it failed, in the sources',
    async (kind) => {
      const guest = createHarness(await guestArtifact(kind));
      try {
        const outcome = await guest.run(ROUTES.throw);
        if (outcome.kind !== 'trap') throw new Error(`no trap but ${outcome.kind}`);
        expect(outcome.guest?.message).toContain(THROWN);
        const places = outcome.guest?.frames.map((frame) => /\(?([^( ]+:\d+):\d+\)?$/.exec(frame)?.[1]);
        expect(places).toEqual(expect.arrayContaining([...(await throwFrames())]));
      } finally {
        await guest.engine.close();
      }
    },
    180_000,
  );

  it('interrupts a loop at its deadline: its process and the calls that wait in it go on', async () => {
    await harness.run(ROUTES.state);
    const pid = harness.pidOf('acme');
    const { handler, called, release } = stalledHost();
    const neighbours = Array.from({ length: 4 }, () => harness.run(ROUTES.fetch, { host: handler }));
    await called;
    expect(await harness.run(ROUTES.loop, { deadlineMs: 200 })).toEqual({ kind: 'timeout' });
    release();
    expect((await Promise.all(neighbours)).map(({ kind }) => kind)).toEqual(Array(4).fill('response'));
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
    expect(harness.faults).toEqual([]);
  });

  it('interrupts a guest that computes after its deadline has come while it waited', async () => {
    await harness.run(ROUTES.state);
    const pid = harness.pidOf('acme');
    expect(await harness.run(ROUTES.waitThenLoop, { deadlineMs: 300 })).toEqual({ kind: 'timeout' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
  });

  it('ends a guest that has used up its processor time, long before its deadline', async () => {
    expect(await harness.run(ROUTES.loop, { limits: { cpuMs: 100 } })).toMatchObject({ kind: 'cpu_exceeded' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
  });

  it('lets a guest compute within its limits, whosoever’s deadline passes meanwhile', async () => {
    const rounds = 500_000;
    await harness.run(ROUTES.compute(rounds));
    const begun = performance.now();
    await harness.run(ROUTES.compute(rounds));
    // So long that a process which does not answer would have been killed twice over.
    const long = Math.ceil((rounds * 1_200) / Math.max(1, performance.now() - begun));
    const pid = harness.pidOf('acme');
    const busy = harness.run(ROUTES.compute(long));
    expect(await harness.run(ROUTES.state, { deadlineMs: 100 })).toEqual({ kind: 'timeout' });
    expect((await busy).kind).toBe('response');
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
    expect(harness.faults).toEqual([]);
  });

  it('does not count the time that a guest waits as processor time', async () => {
    const slow: HostHandler = async (call) => {
      if (call.interface === 'http') await new Promise((resolve) => setTimeout(resolve, 400));
      return host(call);
    };
    expect((await harness.run(ROUTES.fetch, { host: slow, limits: { cpuMs: 200 } })).kind).toBe('response');
  });

  it('ends a call that waits on the host at its deadline without touching its neighbours', async () => {
    const patient = stalledHost();
    const neighbour = harness.run(ROUTES.fetch, { host: patient.handler });
    await patient.called;
    const pid = harness.pidOf('acme');
    const stuck = stalledHost();
    expect(await harness.run(ROUTES.fetch, { host: stuck.handler, deadlineMs: 200 })).toEqual({ kind: 'timeout' });
    patient.release();
    expect(bodyOf(await neighbour)).toEqual({ status: 201, body: '' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).toBe(pid);
    expect(harness.faults).toEqual([]);
  });

  it('stops a guest at its memory limit', async () => {
    expect(await harness.run(ROUTES.allocate, { limits: { memoryMb: 32 } })).toMatchObject({ kind: 'out_of_memory' });
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
  });

  it('does not start a guest that begins above its memory limit', async () => {
    expect(await harness.run(ROUTES.state, { limits: { memoryMb: 1 } })).toEqual({ kind: 'out_of_memory' });
  });

  it('survives unbounded recursion', async () => {
    const outcome = await harness.run(ROUTES.recurse);
    expect(['trap', 'response', 'out_of_memory']).toContain(outcome.kind);
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
  });

  it.each([
    [ROUTES.status99, 'the status is not 200 to 599'],
    [ROUTES.crlf, expect.stringMatching(/^the value of header .* has a forbidden character or is too long$/)],
  ])('refuses the response of %s', async (url, message) => {
    expect(await harness.run(url)).toEqual({ kind: 'invalid_response', message });
  });

  it.each([ROUTES.huge, ROUTES.enormous])('refuses the size of the response of %s', async (url) => {
    const outcome = await harness.run(url, { limits: { liftedBytes: 16_777_216 } });
    expect(outcome).toMatchObject({ kind: 'limit_exceeded', limit: 'responseBytes' });
  });

  it('bounds the number of host calls', async () => {
    let lines = 0;
    const counting: HostHandler = async (call) => {
      if (call.interface === 'logging') lines++;
      return host(call);
    };
    expect(await harness.run(ROUTES.chatty(5_000), { host: counting, limits: { hostCalls: 300 } })).toEqual({
      kind: 'limit_exceeded',
      limit: 'hostCalls',
      message: 'more than 300 host calls',
    });
    expect(lines).toBe(300);
    expect(harness.faults).toEqual([]);
  });

  it('bounds what a guest hands to the host', async () => {
    let lines = 0;
    const counting: HostHandler = async (call) => {
      if (call.interface === 'logging') lines++;
      return host(call);
    };
    const outcome = await harness.run(ROUTES.longLine(1_500_000), {
      host: counting,
      limits: { liftedBytes: 1_000_000 },
    });
    expect(outcome).toMatchObject({ kind: 'limit_exceeded', limit: 'liftedBytes' });
    expect(lines).toBe(0);
  });

  it('passes on what a guest writes, as far as its limit', async () => {
    expect(bodyOf(await harness.run(ROUTES.console))).toEqual({ written: true });
    const text = harness.output.join('');
    expect(text).toContain(`stdout: ${CONSOLE_LINES.stdout}`);
    expect(text).toContain(`stderr: ${CONSOLE_LINES.stderr}`);
    harness.output.length = 0;
    await harness.run(ROUTES.console, { limits: { logBytes: 3 } });
    expect(harness.output.join('').replaceAll(/std(?:out|err): /g, '')).toHaveLength(3);
  });
});

describe('processes', () => {
  it('serves a burst that arrives before the sandbox is ready', async () => {
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => harness.run(ROUTES.state)));
    expect(outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 12 }, () => 'response'));
    expect(harness.engine.stats().sandboxes).toHaveLength(1);
  });

  it('replaces a sandbox that died while idle', async () => {
    await harness.run(ROUTES.state);
    const pid = harness.pidOf('acme') ?? Number.NaN;
    process.kill(pid, 'SIGKILL');
    await until(() => harness.pidOf('acme') === undefined);
    expect(bodyOf(await harness.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    expect(harness.pidOf('acme')).not.toBe(pid);
  });

  it('retires the sandbox that was idle longest to make room, and refuses where none is idle', async () => {
    const small = createHarness(artifact, { maxSandboxes: 2 });
    try {
      await small.run(ROUTES.state, { tenantId: 'one' });
      const { handler, called, release } = stalledHost();
      const busy = small.run(ROUTES.fetch, { tenantId: 'two', host: handler });
      await called;
      expect((await small.run(ROUTES.state, { tenantId: 'three' })).kind).toBe('response');
      expect(small.pidOf('one')).toBeUndefined();
      const other = stalledHost();
      const busyToo = small.run(ROUTES.fetch, { tenantId: 'three', host: other.handler });
      await other.called;
      expect(await small.run(ROUTES.state, { tenantId: 'four' })).toEqual({ kind: 'overloaded' });
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
      await brief.run(ROUTES.state);
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
      const first = narrow.run(ROUTES.fetch, { host: handler });
      await called;
      expect(await narrow.run(ROUTES.state)).toEqual({ kind: 'overloaded' });
      release();
      expect((await first).kind).toBe('response');
    } finally {
      await narrow.engine.close();
    }
  });

  onLinux('I10: signals to the whole process group leave the ending to the runner', async () => {
    const { handler, called, release } = stalledHost();
    const running = harness.run(ROUTES.fetch, { host: handler });
    await called;
    const pid = harness.pidOf('acme') ?? Number.NaN;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    release();
    expect((await running).kind).toBe('response');
  });

  it('I10: a drain takes no more calls and lets those in flight end', async () => {
    const { handler, called, release } = stalledHost();
    const running = harness.run(ROUTES.fetch, { host: handler });
    await called;
    const drained = harness.engine.drain(10_000);
    expect(await harness.run(ROUTES.state)).toEqual({ kind: 'overloaded' });
    release();
    expect(await drained).toBe(true);
    expect((await running).kind).toBe('response');
  });

  it('a drain that is not over in time says so, and close ends every process', async () => {
    const { handler, called } = stalledHost();
    const running = harness.run(ROUTES.fetch, { host: handler });
    await called;
    const pid = harness.pidOf('acme');
    expect(await harness.engine.drain(10)).toBe(false);
    await harness.engine.close();
    expect(isAlive(pid)).toBe(false);
    expect((await running).kind).toBe('crashed');
  });
});
