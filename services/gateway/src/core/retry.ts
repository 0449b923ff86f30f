import type { ErrorCode } from '@alga/contracts';

/** I7: a call is tried at most twice. */
export const MAX_ATTEMPTS = 2;

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Refused before any of the guest ran: nobody listened, no room, or going away. */
const NOT_STARTED = new Set<ErrorCode>(['no_runner', 'overloaded', 'draining']);

/** The refusals of a runner that mean something to the caller; any other one is a fault between our own parts. */
const FOR_THE_CALLER = new Set<ErrorCode>([
  'artifact_rejected',
  'deadline_exceeded',
  'draining',
  'execution_unknown',
  'extension_not_found',
  'guest_cpu_exceeded',
  'guest_limit_exceeded',
  'guest_out_of_memory',
  'guest_quarantined',
  'guest_response_invalid',
  'guest_timeout',
  'guest_trap',
  'install_suspended',
  'no_runner',
  'overloaded',
  'secrets_unavailable',
  'unavailable',
]);

type Verdict =
  | { readonly kind: 'retry' }
  /** `code`: what the caller is told. */
  | { readonly kind: 'give-up'; readonly code: ErrorCode };

export const provablyNotStarted = (code: ErrorCode): boolean => NOT_STARTED.has(code);

/**
 * What follows a failed attempt (I7): a second one only if the guest provably did not start, or if its runner was lost and the
 * method is idempotent. A guest that used up its time gets no second helping: under load that would double the load.
 */
export function afterFailure(failed: {
  readonly code: ErrorCode;
  readonly method: string;
  /** From 1. */
  readonly attempt: number;
  readonly provablyNotStarted: boolean;
}): Verdict {
  const mayRepeat = failed.provablyNotStarted || (failed.code === 'execution_unknown' && IDEMPOTENT.has(failed.method));
  if (mayRepeat && failed.attempt < MAX_ATTEMPTS) return { kind: 'retry' };
  // A message over the limit can only be the answer: the request was measured before it was sent.
  if (failed.code === 'body_too_large') return { kind: 'give-up', code: 'guest_response_invalid' };
  return { kind: 'give-up', code: FOR_THE_CALLER.has(failed.code) ? failed.code : 'internal' };
}
