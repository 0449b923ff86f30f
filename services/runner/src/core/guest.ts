import { AlgaError } from '@alga/contracts';

/** How a guest's run ended, as the engine tells it. */
export type GuestOutcome =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      readonly body?: Uint8Array;
    }
  | { readonly kind: 'trap' | 'invalid_response' | 'not_loadable'; readonly message: string }
  | { readonly kind: 'timeout' | 'out_of_memory' | 'overloaded' }
  | { readonly kind: 'crashed'; readonly started: boolean };

/** One run, with what it learnt of secrets on the way. */
export interface GuestRun {
  readonly outcome: GuestOutcome;
  /** Version of the secrets that the guest read, if it read any. */
  readonly secretsVersion: number | undefined;
  /** Set where a read failed because the secrets backend could not be reached: when to try again. */
  readonly secretsRetryAfterMs: number | undefined;
}

export type GuestFailure = Exclude<GuestOutcome, { kind: 'response' }>;

/** What the caller is told. Nothing of the guest's own words: those go to the log. */
export function toError(failure: GuestFailure, run: GuestRun): AlgaError {
  switch (failure.kind) {
    case 'trap':
      // The guest failed because we could not give it its secret: that is our failure, and a retry may succeed.
      return run.secretsRetryAfterMs === undefined
        ? new AlgaError('guest_trap')
        : new AlgaError('secrets_unavailable', undefined, { retryAfterMs: run.secretsRetryAfterMs });
    case 'timeout':
      return new AlgaError('guest_timeout');
    case 'out_of_memory':
      return new AlgaError('guest_out_of_memory');
    case 'invalid_response':
      return new AlgaError('guest_response_invalid');
    case 'not_loadable':
      return new AlgaError('artifact_rejected');
    case 'overloaded':
      return new AlgaError('overloaded');
    case 'crashed':
      // Not started: no guest saw anything of the request, so that another runner may safely take it (I7).
      return new AlgaError(failure.started ? 'execution_unknown' : 'overloaded');
  }
}
