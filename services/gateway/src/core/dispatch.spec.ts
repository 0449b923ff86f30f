import { AlgaError, ERRORS, type ErrorCode } from '@alga/contracts';
import fc from 'fast-check';
import { type Attempt, type AttemptOutcome, dispatch } from './dispatch.ts';
import { afterFailure, MAX_ATTEMPTS, provablyNotStarted } from './retry.ts';

const IDEMPOTENT = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
const method = fc.constantFrom(...IDEMPOTENT, 'POST', 'PATCH');
const code = fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[]));
const step = fc.record({ code: fc.oneof(fc.constant('ok' as const), code), ms: fc.integer({ min: 0, max: 9000 }) });

describe('what follows a failed attempt', () => {
  it.each([
    ['GET', 'execution_unknown', 'retry'],
    ['PUT', 'execution_unknown', 'retry'],
    ['POST', 'execution_unknown', 'execution_unknown'],
    ['PATCH', 'execution_unknown', 'execution_unknown'],
    ['POST', 'no_runner', 'retry'],
    ['POST', 'overloaded', 'retry'],
    ['POST', 'draining', 'retry'],
    ['GET', 'deadline_exceeded', 'deadline_exceeded'],
    ['GET', 'guest_trap', 'guest_trap'],
    ['GET', 'guest_cpu_exceeded', 'guest_cpu_exceeded'],
    // A component that crashes its process is not passed round the fleet.
    ['GET', 'guest_quarantined', 'guest_quarantined'],
    ['GET', 'secrets_unavailable', 'secrets_unavailable'],
    ['GET', 'envelope_mismatch', 'internal'],
    ['GET', 'body_too_large', 'guest_response_invalid'],
  ] as const)('of %s with %s: %s', (method, code, expected) => {
    const verdict = afterFailure({ code, method, attempt: 1, provablyNotStarted: provablyNotStarted(code) });
    expect(verdict.kind === 'retry' ? 'retry' : verdict.code).toBe(expected);
  });

  it('every code about the extension itself is told to the caller, and none is a reason to run it again', () => {
    for (const code of (Object.keys(ERRORS) as ErrorCode[]).filter((code) => code.startsWith('guest_'))) {
      const verdict = afterFailure({ code, method: 'GET', attempt: 1, provablyNotStarted: provablyNotStarted(code) });
      expect(verdict).toEqual({ kind: 'give-up', code });
    }
  });

  it('a code that tells of our own parts is never told to the caller', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const verdict = afterFailure({ code, method: 'GET', attempt: MAX_ATTEMPTS, provablyNotStarted: false });
      if (/^(envelope|proof|webhook)_|auth|forbidden|bad_request/.test(code)) {
        expect(verdict).toEqual({ kind: 'give-up', code: 'internal' });
      }
    }
  });
});

describe('dispatching a call', () => {
  it('ends in exactly one outcome by its deadline, after at most two attempts, the second only when harmless (I7)', async () => {
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.array(step, { minLength: 2, maxLength: 4 }),
        fc.integer({ min: 50, max: 30_000 }),
        async (method, script, timeoutMs) => {
          let clock = 0;
          const attempts: Attempt[] = [];
          let ran = 0; // attempts in which the guest may have run
          const deadlineAt = 15_000;
          const outcome = await dispatch(
            { method, timeoutMs, deadlineAt, now: () => clock },
            async (attempt): Promise<AttemptOutcome<string>> => {
              const { code, ms } = script[attempts.length] ?? { code: 'ok', ms: 0 };
              attempts.push(attempt);
              const late = ms > attempt.deadlineMs;
              clock += Math.min(ms, attempt.deadlineMs);
              const failure = late ? 'deadline_exceeded' : code;
              if (failure === 'ok' || !provablyNotStarted(failure)) ran += 1;
              if (failure === 'ok') return { ok: true, reply: 'reply' };
              return { ok: false, error: new AlgaError(failure), runnerId: `r${attempt.number}` };
            },
          );
          expect(clock).toBeLessThanOrEqual(deadlineAt);
          expect(outcome.attempts).toBe(attempts.length);
          expect(attempts.length).toBeLessThanOrEqual(2);
          if (!IDEMPOTENT.includes(method)) expect(ran).toBeLessThanOrEqual(1);
          for (const { deadlineMs } of attempts) expect(deadlineMs).toBeLessThanOrEqual(timeoutMs + 2000);
          if (attempts[1] !== undefined) expect(attempts[1].avoid).toBe('r1');
          if (!outcome.ok) expect(outcome.error).toBeInstanceOf(AlgaError);
        },
      ),
    );
  });

  it('makes no attempt after the deadline', async () => {
    const outcome = await dispatch({ method: 'GET', timeoutMs: 1, deadlineAt: 5, now: () => 5 }, () => {
      throw new Error('must not be called');
    });
    expect(outcome).toMatchObject({ ok: false, attempts: 0, error: { code: 'deadline_exceeded' } });
  });
});
