import {
  AlgaError,
  type ErrorCode,
  type ExecuteReplyHead,
  type ExecuteRequestHead,
  type Framed,
  type Limits,
  parse,
} from '@alga/contracts';
import type { Artifact } from './artifacts.ts';
import { differingField } from './authority.ts';
import type { Envelope, EnvelopeCheck } from './envelope.ts';
import { type GuestFailure, type GuestRun, toError } from './guest.ts';
import { type Ceilings, limitsOfCall } from './limits.ts';

/** Kept back from the caller's deadline, so that the outcome still reaches it in time (I7). */
const REPLY_MARGIN_MS = 100;

/** A call whose envelope has been verified and whose message says what the envelope says. */
export interface AuthorisedCall {
  readonly envelope: Envelope;
  readonly requestId: string;
  readonly config: string;
  readonly http: ExecuteRequestHead['http'];
  readonly body: Uint8Array;
}

/** What one run of a guest may take. */
export interface Allowance {
  /** Time left, ms from now: that of the guest's own limit, or what its caller still waits where that is less. */
  readonly deadlineMs: number;
  readonly limits: Limits;
}

export interface ExecutionObserver {
  /** Runs the work under a span of its own. */
  execution<T>(call: AuthorisedCall, work: () => Promise<T>): Promise<T>;
  phase(name: 'artifact' | 'guest', ms: number): void;
  /** Told to the operator, who does not get the guest's own words; the caller learns only the error code. */
  guestFailed(call: AuthorisedCall, failure: GuestFailure, code: ErrorCode): void;
}

export interface ExecutorParts {
  readonly runnerId: string;
  /** Calls at once; more are refused at once, so that the gateway can ask another runner. */
  readonly maxInFlight: number;
  readonly verifyEnvelope: (token: string) => Promise<EnvelopeCheck>;
  readonly loadArtifact: (contentHash: string, deadlineMs: number) => Promise<Artifact>;
  readonly ceilings: Ceilings;
  readonly runGuest: (call: AuthorisedCall, artifact: Artifact, allowance: Allowance) => Promise<GuestRun>;
  readonly observer: ExecutionObserver;
  /** Monotonic clock, ms. */
  readonly now: () => number;
}

/** Executes requests, whichever way they came in. */
export class Executor {
  readonly #parts: ExecutorParts;
  #inFlight = 0;

  constructor(parts: ExecutorParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * One request, one outcome, within `deadlineMs` from now.
   * @throws AlgaError with the reason why there is no response.
   */
  async execute(request: Framed<ExecuteRequestHead>, deadlineMs: number): Promise<Framed<ExecuteReplyHead>> {
    const { verifyEnvelope, maxInFlight, observer, now } = this.#parts;
    const end = now() + deadlineMs - REPLY_MARGIN_MS;
    const call = authorise(request, await verifyEnvelope(request.head.envelope));
    if (this.#inFlight >= maxInFlight) throw new AlgaError('overloaded');
    this.#inFlight += 1;
    try {
      return await observer.execution(call, () => this.#run(call, end));
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #run(call: AuthorisedCall, end: number): Promise<Framed<ExecuteReplyHead>> {
    const { loadArtifact, runGuest, ceilings, observer, now } = this.#parts;
    const { claims } = call.envelope;
    const started = now();
    if (end <= started) throw new AlgaError('deadline_exceeded');
    const artifact = await loadArtifact(claims.contentHash, end - started);
    const loaded = now();
    observer.phase('artifact', loaded - started);
    const limits = limitsOfCall(claims.limits, ceilings);
    const run = await runGuest(call, artifact, { deadlineMs: Math.min(end - loaded, limits.timeoutMs), limits });
    const guestMs = now() - loaded;
    observer.phase('guest', guestMs);
    const { outcome } = run;
    const failed = (failure: GuestFailure): AlgaError => {
      const error = toError(failure, run, limits);
      observer.guestFailed(call, failure, error.code);
      return error;
    };
    if (outcome.kind !== 'response') throw failed(outcome);
    const head = parse('execute-reply-head', {
      requestId: call.requestId,
      runnerId: this.#parts.runnerId,
      status: outcome.status,
      headers: outcome.headers.map(({ name, value }) => ({ name, value })),
      hasBody: outcome.body !== undefined,
      runtime: artifact.runtime,
      version: claims.version,
      configVersion: claims.configVersion,
      secretsVersion: run.secretsVersion ?? claims.sv,
      guestMs: Math.round(guestMs * 1000) / 1000,
    });
    if (head.ok) return { head: head.value, body: outcome.body ?? new Uint8Array() };
    throw failed({ kind: 'invalid_response', message: describe(head.errors) });
  }
}

function authorise({ head, body }: Framed<ExecuteRequestHead>, check: EnvelopeCheck): AuthorisedCall {
  if (!check.ok) {
    throw new AlgaError(check.code, undefined, { errors: [{ field: '/envelope', reason: check.reason }] });
  }
  const field = differingField(head, check.envelope.claims);
  if (field !== undefined) {
    throw new AlgaError('envelope_mismatch', undefined, { errors: [{ field, reason: 'differs from the envelope' }] });
  }
  if (body.length > 0 && !head.http.hasBody) {
    throw new AlgaError('bad_request', undefined, { errors: [{ field: '/http/hasBody', reason: 'there is a body' }] });
  }
  const { requestId, config, http } = head;
  return { envelope: check.envelope, requestId, config, http, body };
}

const describe = (errors: readonly { field: string; reason: string }[]): string =>
  errors.map(({ field, reason }) => `${field} ${reason}`).join('; ');
