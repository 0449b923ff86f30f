import { AlgaError } from '@alga/contracts';
import { afterFailure, provablyNotStarted } from './retry.ts';

/** The reply has to travel, and a runner says itself that a guest timed out: so much longer than the guest may run, we wait. */
const REPLY_MARGIN_MS = 2_000;

export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly deadlineMs: number;
  /** The runner that has just failed. */
  readonly avoid: string | undefined;
}

export type AttemptOutcome<R> =
  | { readonly ok: true; readonly reply: R }
  /** `runnerId`: undefined when it went to whoever was free. */
  | { readonly ok: false; readonly error: AlgaError; readonly runnerId: string | undefined };

export type Dispatched<R> =
  | { readonly ok: true; readonly reply: R; readonly attempts: number }
  | { readonly ok: false; readonly error: AlgaError; readonly attempts: number };

/**
 * Brings an admitted call to exactly one outcome before its deadline (I7). `send` makes one attempt, settles within the attempt's
 * deadline and never rejects. Times are readings of `now`, monotonic, in ms.
 */
export async function dispatch<R>(
  call: {
    readonly method: string;
    readonly timeoutMs: number;
    readonly deadlineAt: number;
    readonly now: () => number;
  },
  send: (attempt: Attempt) => Promise<AttemptOutcome<R>>,
): Promise<Dispatched<R>> {
  let avoid: string | undefined;
  let last: AlgaError | undefined;
  for (let number = 1; ; number += 1) {
    const left = call.deadlineAt - call.now();
    if (left <= 0) return { ok: false, error: last ?? new AlgaError('deadline_exceeded'), attempts: number - 1 };
    const outcome = await send({ number, deadlineMs: Math.min(left, call.timeoutMs + REPLY_MARGIN_MS), avoid });
    if (outcome.ok) return { ...outcome, attempts: number };
    const { error } = outcome;
    const verdict = afterFailure({
      code: error.code,
      method: call.method,
      attempt: number,
      provablyNotStarted: provablyNotStarted(error.code),
    });
    if (verdict.kind === 'give-up') return { ok: false, error: asCode(error, verdict.code), attempts: number };
    avoid = outcome.runnerId;
    last = error;
  }
}

/** The error itself, or another code with it as the cause: what is not for the caller stays in the log. */
function asCode(error: AlgaError, code: AlgaError['code']): AlgaError {
  return error.code === code ? error : new AlgaError(code, undefined, { cause: error });
}
