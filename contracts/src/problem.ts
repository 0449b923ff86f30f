import { AlgaError, ERRORS, isErrorCode } from './errors.ts';
import type { Problem } from './generated/types.ts';

/** Where each code is explained; the anchor is the code. */
const DOCUMENTATION = 'https://alga.dev/errors#';

/** The public face of an error: nothing of its cause, nothing of any other class's message (I3). */
export function toProblem(error: unknown, requestId?: string): Problem {
  const known = error instanceof AlgaError ? error : new AlgaError('internal');
  const { status, title, fix } = ERRORS[known.code];
  return {
    type: `${DOCUMENTATION}${known.code}`,
    title,
    status,
    code: known.code,
    detail: known.message,
    ...(requestId === undefined ? {} : { requestId }),
    ...(known.errors.length === 0 ? {} : { errors: known.errors.map((e) => ({ ...e })) }),
    fix,
    ...(known.limit === undefined ? {} : { limit: known.limit }),
    ...(known.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
  };
}

/** The error a problem stands for. A code from outside the table becomes `internal`. */
export function fromProblem(problem: Problem): AlgaError {
  return new AlgaError(isErrorCode(problem.code) ? problem.code : 'internal', problem.detail, {
    ...(problem.errors === undefined ? {} : { errors: problem.errors }),
    ...(problem.limit === undefined ? {} : { limit: problem.limit }),
    ...(problem.retryAfterMs === undefined ? {} : { retryAfterMs: problem.retryAfterMs }),
  });
}
