import { artifactOfGlue, LIMITS } from './fixtures/harness.ts';
import { programWith, spawnConfined } from './fixtures/program.ts';
import type { Fault, HostCall, Outcome } from './outcome.ts';
import type { SandboxProgram } from './program.ts';
import { Sandbox } from './sandbox.ts';

const artifact = artifactOfGlue(new Uint8Array());
const fine: Outcome = { kind: 'response', status: 200, headers: [] };

/** A turn of the parent's thread that every tenant waits for; generous, since the garbage of all tests is collected in it. */
const MAX_TURN_MS = 300;

let faults: Fault[];
let sandbox: Sandbox;
let calls: HostCall[];
let output: string[];
let program: SandboxProgram;

beforeAll(() => {
  program = programWith('forger.ts');
});

beforeEach(() => {
  faults = [];
  calls = [];
  output = [];
  sandbox = started(program);
});

function started(from: SandboxProgram): Sandbox {
  const forger = new Sandbox({
    spawn: () => spawnConfined(from),
    onFault: (fault) => faults.push(fault),
    onExit: () => undefined,
  });
  forger.adopt('acme');
  return forger;
}

afterEach(async () => {
  sandbox.kill();
  await sandbox.exited;
});

function run(url: string, target: Sandbox = sandbox): Promise<Outcome> {
  return target.execute({
    tenantId: 'acme',
    installId: 'install',
    artifact,
    request: { context: { tenantId: 'acme', extensionId: 'x' }, http: { method: 'GET', url, headers: [] } },
    host: (call) => {
      calls.push(call);
      // Never answered: what the forger has in flight stays in flight.
      return new Promise(() => undefined);
    },
    onOutput: (_stream, text) => output.push(text),
    deadlineMs: 20_000,
    limits: LIMITS,
  });
}

/** How long the thread computed, in processor time, before it came back to a timer. */
function watchTurns(): { longestMs(): number } {
  let longestUs = 0;
  let last = process.threadCpuUsage();
  const look = (): void => {
    const { user, system } = process.threadCpuUsage(last);
    longestUs = Math.max(longestUs, user + system);
    last = process.threadCpuUsage();
  };
  const timer = setInterval(look, 1);
  return {
    longestMs() {
      look();
      clearInterval(timer);
      return longestUs / 1_000;
    },
  };
}

describe('messages of a sandbox that was taken over', () => {
  it.each(['/unknown-calls', '/unknown-functions', '/odd-arguments', '/odd-types'])(
    '%s: nothing reaches the host, and the call ends as its own end says',
    async (url) => {
      expect(await run(url)).toEqual(fine);
      expect(calls).toEqual([]);
    },
  );

  it('a response that is not one is not believed', async () => {
    const outcome = await run('/odd-response');
    // An array and a text are data, so they count as the end; the rest is dropped.
    expect(['invalid_response', 'response']).toContain(outcome.kind);
    expect(calls).toEqual([]);
  });

  it('at most 4 host calls of a request are under way at once', async () => {
    expect(await run('/at-once')).toEqual(fine);
    expect(calls).toHaveLength(4);
  });

  it('I7: the first end of a call counts', async () => {
    expect(await run('/twice')).toEqual(fine);
  });

  it('I3: a trap text passes only if it is one of V8', async () => {
    expect(await run('/secret-in-trap')).toEqual({ kind: 'trap', message: 'the guest failed' });
  });

  it.each([
    '/flood',
    '/ready-again',
    '/loaded-unasked',
    '/load-failed-unasked',
    '/cancelled-unasked',
    '/endless-output',
    '/node-ack',
    '/node-handle',
    '/raw-garbage',
    '/raw-empty',
    '/raw-endless',
    '/raw-dripped',
    '/no-message',
    '/set',
    '/map',
    '/date',
    '/sparse',
    '/many-objects',
    '/deep',
    '/more-members',
  ])('%s: messages that no sandbox of ours sends end it, and nothing but it', async (url) => {
    const before = process.memoryUsage().rss;
    const turns = watchTurns();
    expect(await run(url)).toEqual({ kind: 'crashed', signal: 'SIGKILL', exitCode: null, started: true });
    expect(faults).toEqual([{ kind: 'sandbox_killed', tenantId: 'acme', reason: 'protocol_violation' }]);
    await sandbox.exited;
    expect(turns.longestMs()).toBeLessThan(MAX_TURN_MS);
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024);
  });

  it('a program that does not start gives `crashed` to calls that it has not seen', async () => {
    const broken = started({ ...program, main: `${program.folder}/not-there.mjs` });
    expect(await run('/twice', broken)).toMatchObject({ kind: 'crashed', started: false });
    expect(faults).toMatchObject([{ kind: 'sandbox_crashed', signal: null }]);
    await broken.exited;
  });

  it('a closed channel ends the sandbox', async () => {
    const outcome = await run('/disconnect');
    expect(outcome.kind).toBe('crashed');
  });
});
