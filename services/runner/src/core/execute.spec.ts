import { type AlgaError, toProblem } from '@alga/contracts';
import { CONFIG, claims } from '../test-support/tokens.ts';
import type { Artifact } from './artifacts.ts';
import { type Allowance, type ExecutionObserver, Executor, type ExecutorParts } from './execute.ts';
import type { GuestOutcome, GuestRun } from './guest.ts';

const observer: ExecutionObserver = {
  execution: (_call, work) => work(),
  phase: () => undefined,
  guestFailed: () => undefined,
};
const artifact = (contentHash: string, parts: Partial<Artifact> = {}): Artifact => ({
  contentHash,
  runtime: 'component',
  engine: 'native',
  entry: 'a.js',
  files: new Map(),
  modules: [],
  pool: { reusable: true },
  sourceMap: null,
  ...parts,
});
const ceilings = { timeoutMs: 30_000, cpuMs: 30_000, memoryMb: 256 };
const response: GuestOutcome = { kind: 'response', status: 200, headers: [] };
const run = (outcome: GuestOutcome, rest: Partial<GuestRun> = {}): GuestRun => ({
  outcome,
  secretsVersion: undefined,
  secretsRetryAfterMs: undefined,
  ...rest,
});

function executor(parts: Partial<ExecutorParts> = {}): Executor {
  return new Executor({
    runnerId: 'runner-1',
    maxInFlight: 2,
    verifyEnvelope: async (token) => ({ ok: true, envelope: { token, tokenSha256: 'f'.repeat(64), claims: claims() } }),
    loadArtifact: async (contentHash) => artifact(contentHash),
    ceilings,
    runGuest: async () => run(response),
    observer,
    now: () => performance.now(),
    ...parts,
  });
}

const matching = ({ field, reason }: { field: string; reason: RegExp }) => ({
  field,
  reason: expect.stringMatching(reason),
});

const request = {
  head: {
    requestId: 'request-1',
    tenantId: 'acme',
    extensionId: 'fixture',
    installId: 'inst-1',
    config: CONFIG,
    envelope: 'a.b.c',
    http: { method: 'GET', url: '/', headers: [], hasBody: false },
  },
  body: new Uint8Array(),
};
const refusal = (promise: Promise<unknown>): Promise<AlgaError> =>
  promise.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: AlgaError) => error,
  );

describe('admission', () => {
  it('refuses what is over the limit at once, so that another runner can take it, and recovers', async () => {
    const gate = Promise.withResolvers<GuestRun>();
    const busy = executor({ runGuest: () => gate.promise });
    const admitted = [busy.execute(request, 5_000), busy.execute(request, 5_000)];
    expect((await refusal(busy.execute(request, 5_000))).code).toBe('overloaded');
    expect(busy.inFlight).toBe(2);
    gate.resolve(run(response));
    await Promise.all(admitted);
    expect(busy.inFlight).toBe(0);
    await busy.execute(request, 5_000);
  });

  it('starts nothing when the caller has no time left', async () => {
    const runGuest = () => Promise.reject(new Error('started'));
    expect((await refusal(executor({ runGuest }).execute(request, 50))).code).toBe('deadline_exceeded');
  });

  it('counts a call that fails as ended', async () => {
    const failing = executor({ loadArtifact: () => Promise.reject(new Error('store')) });
    await refusal(failing.execute(request, 5_000));
    expect(failing.inFlight).toBe(0);
  });
});

describe('I7: the deadline of the guest', () => {
  it.each([
    ['its own limit where the caller waits longer', 30_000, 5_000],
    ['what the caller still waits, less a margin for the reply', 2_000, 1_900],
  ])('is %s', async (_, callerMs, expected) => {
    const given: number[] = [];
    const runGuest: ExecutorParts['runGuest'] = async (_call, _artifact, { deadlineMs }) => {
      given.push(deadlineMs);
      return run(response);
    };
    await executor({ runGuest, now: () => 1_000 }).execute(request, callerMs);
    expect(given).toEqual([expected]);
  });
});

describe('the limits of a call', () => {
  const limitsWith = async (lower: Partial<typeof ceilings>) => {
    const given: Allowance[] = [];
    const runGuest: ExecutorParts['runGuest'] = async (_call, _artifact, allowance) => {
      given.push(allowance);
      return run(response);
    };
    await executor({ runGuest, ceilings: { ...ceilings, ...lower }, now: () => 1_000 }).execute(request, 30_000);
    return given[0];
  };

  it('are those of the envelope, all of them', async () => {
    expect(await limitsWith({})).toEqual({ deadlineMs: 5_000, limits: claims().limits });
  });

  it("are never above the ceilings of the operator's, and the deadline follows", async () => {
    expect(await limitsWith({ timeoutMs: 700, memoryMb: 16 })).toEqual({
      deadlineMs: 700,
      limits: { ...claims().limits, timeoutMs: 700, cpuMs: 700, memoryMb: 16 },
    });
    expect((await limitsWith({ cpuMs: 50 }))?.limits).toEqual({ ...claims().limits, cpuMs: 50 });
  });
});

describe('an outcome', () => {
  it.each<[string, GuestOutcome, Partial<GuestRun>]>([
    ['guest_trap', { kind: 'trap', message: 'unreachable' }, {}],
    ['secrets_unavailable', { kind: 'trap', message: 'unreachable' }, { secretsRetryAfterMs: 700 }],
    ['guest_timeout', { kind: 'timeout' }, { secretsRetryAfterMs: 700 }],
    ['guest_out_of_memory', { kind: 'out_of_memory' }, {}],
    ['guest_cpu_exceeded', { kind: 'cpu_exceeded' }, {}],
    ['guest_limit_exceeded', { kind: 'limit_exceeded', limit: 'hostCalls', message: 'unreachable' }, {}],
    ['guest_limit_exceeded', { kind: 'limit_exceeded', limit: 'liftedBytes', message: 'unreachable' }, {}],
    ['guest_limit_exceeded', { kind: 'limit_exceeded', limit: 'responseBytes', message: 'unreachable' }, {}],
    ['guest_quarantined', { kind: 'quarantined', retryAfterMs: 4_200 }, {}],
    ['guest_response_invalid', { kind: 'invalid_response', message: 'status' }, {}],
    ['guest_response_invalid', { kind: 'response', status: 700, headers: [] }, {}],
    ['artifact_rejected', { kind: 'not_loadable', message: 'imports' }, {}],
    ['execution_unknown', { kind: 'crashed', started: true }, {}],
    ['overloaded', { kind: 'crashed', started: false }, {}],
    ['overloaded', { kind: 'overloaded' }, {}],
  ])('becomes %s for %j %j', async (code, outcome, rest) => {
    const error = await refusal(executor({ runGuest: async () => run(outcome, rest) }).execute(request, 5_000));
    expect(error.code).toBe(code);
    if (code === 'secrets_unavailable') expect(error.retryAfterMs).toBe(700);
    if (code === 'guest_quarantined') expect(error.retryAfterMs).toBe(4_200);
    expect(error.message).not.toContain('unreachable');
  });

  it.each([
    ['hostCalls', 1_000, 10_000],
    ['liftedBytes', 4_194_304, 16_777_216],
    ['responseBytes', 1_040_384, 1_040_384],
  ] as const)('over %s names the limit, what it was and how far a manifest can raise it', async (limit, was, most) => {
    const outcome: GuestOutcome = { kind: 'limit_exceeded', limit, message: '' };
    const error = await refusal(executor({ runGuest: async () => run(outcome) }).execute(request, 5_000));
    expect(error.limit).toBe(was);
    expect(error.errors).toEqual([
      { field: `/limits/${limit}`, reason: `was ${was} for this call; the manifest may ask for ${most} at most` },
    ]);
  });

  it('over processor time or memory names the limit as it stood for this call, ceilings applied', async () => {
    const errorsOf = async (kind: 'cpu_exceeded' | 'out_of_memory') => {
      const low = { timeoutMs: 30_000, cpuMs: 20, memoryMb: 8 };
      return (await refusal(executor({ ceilings: low, runGuest: async () => run({ kind }) }).execute(request, 5_000)))
        .errors;
    };
    expect(await errorsOf('cpu_exceeded')).toMatchObject([{ field: '/limits/cpuMs', reason: /was 20 / }].map(matching));
    expect(await errorsOf('out_of_memory')).toMatchObject(
      [{ field: '/limits/memoryMb', reason: /was 8 / }].map(matching),
    );
  });

  it("carries none of the guest's own words to the caller (I3)", async () => {
    const guest = { message: 'guest words', frames: ['guest words (index.ts:1:1)'] };
    const outcomes: GuestOutcome[] = [
      { kind: 'trap', message: 'guest words', guest },
      { kind: 'invalid_response', message: 'guest words', guest },
      { kind: 'not_loadable', message: 'guest words', guest },
      { kind: 'timeout', guest },
      { kind: 'cpu_exceeded', guest },
      { kind: 'out_of_memory', guest },
      { kind: 'limit_exceeded', limit: 'hostCalls', message: 'guest words', guest },
    ];
    for (const outcome of outcomes) {
      const error = await refusal(executor({ runGuest: async () => run(outcome) }).execute(request, 5_000));
      expect(JSON.stringify(toProblem(error, 'request-1'))).not.toContain('guest words');
    }
  });

  it.each(['component', 'legacy'] as const)('of a %s says so in the reply', async (runtime) => {
    const loaded = executor({ loadArtifact: async (hash) => artifact(hash, { runtime }) });
    expect((await loaded.execute(request, 5_000)).head.runtime).toBe(runtime);
  });

  it('names the version of the secrets that were read, and the floor where none were', async () => {
    const read = await executor({ runGuest: async () => run(response, { secretsVersion: 9 }) }).execute(request, 5_000);
    expect(read.head.secretsVersion).toBe(9);
    expect((await executor().execute(request, 5_000)).head.secretsVersion).toBe(7);
  });
});
