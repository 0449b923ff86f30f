import type { AlgaError } from '@alga/contracts';
import { CONFIG, claims } from '../test-support/tokens.ts';
import { type ExecutionObserver, Executor, type ExecutorParts } from './execute.ts';
import type { GuestOutcome, GuestRun } from './guest.ts';

const observer: ExecutionObserver = {
  execution: (_call, work) => work(),
  phase: () => undefined,
  guestFailed: () => undefined,
};
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
    loadArtifact: async (contentHash) => ({ contentHash, entry: 'a.js', files: new Map() }),
    runGuest: async () => run(response),
    observer,
    now: () => performance.now(),
    ...parts,
  });
}

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
    const runGuest: ExecutorParts['runGuest'] = async (_call, _artifact, deadlineMs) => {
      given.push(deadlineMs);
      return run(response);
    };
    await executor({ runGuest, now: () => 1_000 }).execute(request, callerMs);
    expect(given).toEqual([expected]);
  });
});

describe('an outcome', () => {
  it.each<[string, GuestOutcome, Partial<GuestRun>]>([
    ['guest_trap', { kind: 'trap', message: 'unreachable' }, {}],
    ['secrets_unavailable', { kind: 'trap', message: 'unreachable' }, { secretsRetryAfterMs: 700 }],
    ['guest_timeout', { kind: 'timeout' }, { secretsRetryAfterMs: 700 }],
    ['guest_out_of_memory', { kind: 'out_of_memory' }, {}],
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
    expect(error.message).not.toContain('unreachable');
  });

  it('names the version of the secrets that were read, and the floor where none were', async () => {
    const read = await executor({ runGuest: async () => run(response, { secretsVersion: 9 }) }).execute(request, 5_000);
    expect(read.head.secretsVersion).toBe(9);
    expect((await executor().execute(request, 5_000)).head.secretsVersion).toBe(7);
  });
});
