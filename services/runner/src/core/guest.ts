import { AlgaError, LIMIT_RANGES, type Limits } from '@alga/contracts';

/** The guest's own last words, what it threw or wrote last: for the log of its author, never for a caller or an operator. */
export interface GuestError {
  readonly message: string;
  /** Innermost first; of the author's source files where the artifact has a source map. */
  readonly frames: readonly string[];
}

/** How a guest's run ended, as the engine tells it. `message` holds nothing of the guest's own. */
export type GuestOutcome =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      readonly body?: Uint8Array;
    }
  | {
      readonly kind: 'trap' | 'invalid_response' | 'not_loadable';
      readonly message: string;
      readonly guest?: GuestError;
    }
  | { readonly kind: 'timeout' | 'cpu_exceeded' | 'out_of_memory'; readonly guest?: GuestError }
  | {
      readonly kind: 'limit_exceeded';
      readonly limit: 'hostCalls' | 'liftedBytes' | 'responseBytes';
      readonly message: string;
      readonly guest?: GuestError;
    }
  /** The component crashes too often, and is kept from running for as long as this. */
  | { readonly kind: 'quarantined'; readonly retryAfterMs: number }
  | { readonly kind: 'overloaded' }
  | { readonly kind: 'crashed'; readonly started: boolean };

export type GuestFailure = Exclude<GuestOutcome, { kind: 'response' }>;

/** One run, with what it learnt of secrets on the way. */
export interface GuestRun {
  readonly outcome: GuestOutcome;
  /** Version of the secrets that the guest read, if it read any. */
  readonly secretsVersion: number | undefined;
  /** Set where a read failed because the secrets backend could not be reached: when to try again. */
  readonly secretsRetryAfterMs: number | undefined;
}

/** Whether any of the guest's own code ran, so that its author has something to look for. */
export const guestRan = (failure: GuestFailure): boolean =>
  failure.kind === 'crashed' ? failure.started : failure.kind !== 'overloaded' && failure.kind !== 'quarantined';

/** What the caller is told. Nothing of the guest's own words: those go to its log. */
export function toError(
  failure: GuestFailure,
  { secretsRetryAfterMs }: Pick<GuestRun, 'secretsRetryAfterMs'>,
  limits: Limits,
): AlgaError {
  switch (failure.kind) {
    case 'trap':
      // The guest failed because we could not give it its secret: that is our failure, and a retry may succeed.
      return secretsRetryAfterMs === undefined
        ? new AlgaError('guest_trap')
        : new AlgaError('secrets_unavailable', undefined, { retryAfterMs: secretsRetryAfterMs });
    case 'timeout':
      return new AlgaError('guest_timeout');
    case 'cpu_exceeded':
      return new AlgaError('guest_cpu_exceeded', undefined, { errors: [howToRaise('cpuMs', limits)] });
    case 'out_of_memory':
      return new AlgaError('guest_out_of_memory', undefined, { errors: [howToRaise('memoryMb', limits)] });
    case 'limit_exceeded': {
      const { limit } = failure;
      const details = { errors: [howToRaise(limit, limits)], limit: limits[limit] };
      return new AlgaError('guest_limit_exceeded', `The extension ${EXCEEDED[limit]}.`, details);
    }
    case 'invalid_response':
      return new AlgaError('guest_response_invalid');
    case 'not_loadable':
      return new AlgaError('artifact_rejected');
    case 'quarantined':
      return new AlgaError('guest_quarantined', undefined, { retryAfterMs: failure.retryAfterMs });
    case 'overloaded':
      return new AlgaError('overloaded');
    case 'crashed':
      // Not started: no guest saw anything of the request, so that another runner may safely take it (I7).
      return new AlgaError(failure.started ? 'execution_unknown' : 'overloaded');
  }
}

const EXCEEDED = {
  hostCalls: 'called the host more often than it may in one call',
  liftedBytes: 'passed more to the host than it may in one call',
  responseBytes: 'answered with a larger response than it may',
} as const;

/** The limit as it stood for this call, and where its author states it. */
function howToRaise(limit: keyof Limits, limits: Limits) {
  const { maximum } = LIMIT_RANGES[limit];
  const reason = `was ${limits[limit]} for this call; the manifest may ask for ${maximum} at most`;
  return { field: `/limits/${limit}`, reason };
}
