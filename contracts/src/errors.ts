/** One row per error code: what it means over HTTP and whether the same call may simply be made again. */
interface ErrorRow {
  readonly status: number;
  /** True: an identical request may succeed later, and repeating it is harmless. */
  readonly retryable: boolean;
  readonly title: string;
  readonly fix: string;
}

const row = (status: number, retryable: boolean, title: string, fix: string): ErrorRow => ({
  status,
  retryable,
  title,
  fix,
});

/** The closed set of error codes. `sdk/docs/errors.md` is generated from it. */
export const ERRORS = {
  bad_request: row(400, false, 'The request is malformed.', 'Correct the named field.'),
  unauthenticated: row(401, false, 'No valid API key was given.', 'Send `authorization: Bearer <api key>`.'),
  forbidden: row(403, false, 'The API key may not do this.', 'Use a key with the needed scope, of the right tenant.'),
  not_found: row(404, false, 'There is nothing at this address.', 'Check the path against the documentation.'),
  extension_not_found: row(404, false, 'The tenant has no such extension installed.', 'Install it, or check its id.'),
  method_not_allowed: row(405, false, 'The method is not allowed here.', 'Use one of the methods in `allow`.'),
  request_timeout: row(408, true, 'The request did not arrive in time.', 'Send it faster.'),
  conflict: row(409, false, 'The present state does not allow this.', 'Read the present state and decide again.'),
  version_exists: row(409, false, 'This version is published; versions never change.', 'Publish under a new version.'),
  proof_replayed: row(409, false, 'The proof was used before.', 'Sign a new proof for each redemption.'),
  webhook_replayed: row(409, false, 'This notification was received before.', 'Nothing to do: it has been acted on.'),
  body_too_large: row(413, false, 'The body is over the limit.', 'Stay below `limit` bytes.'),
  unsupported_media_type: row(415, false, 'The content type is not supported.', 'Send the documented content type.'),
  bundle_invalid: row(422, false, 'The bundle cannot be read.', 'Pack it with `alga bundle`.'),
  manifest_invalid: row(
    422,
    false,
    'The manifest does not match its schema.',
    'Correct the named field of manifest.json.',
  ),
  capability_unknown: row(422, false, 'A capability does not exist.', 'Choose from the capabilities in the WIT.'),
  capability_undeclared: row(
    422,
    false,
    'The component imports what its manifest does not declare, or a grant exceeds the manifest.',
    'Declare the capability in manifest.json.',
  ),
  component_invalid: row(422, false, 'The component is not valid.', 'Build it with `alga build`.'),
  config_invalid: row(422, false, 'The configuration does not match the manifest.', 'Correct the named key.'),
  secret_undeclared: row(422, false, 'The manifest declares no such secret.', 'Use a key that the manifest declares.'),
  install_suspended: row(403, false, 'The install is suspended.', 'Resume the install.'),
  envelope_invalid: row(401, false, 'The secrets envelope is not valid.', 'Resolve the install again.'),
  envelope_expired: row(401, false, 'The secrets envelope has expired.', 'Resolve the install again.'),
  envelope_mismatch: row(403, false, 'The message differs from its envelope.', 'Send what the envelope says.'),
  proof_invalid: row(401, false, 'The redemption proof is not valid.', 'Sign a proof for exactly this redemption.'),
  webhook_unsigned: row(401, false, 'The notification is not signed by a known source.', 'Check the shared secret.'),
  webhook_stale: row(401, false, 'The notification is outside the time window.', 'Check the clock of the sender.'),
  rate_limited: row(429, true, 'Too many requests.', 'Wait for `retry-after`.'),
  internal: row(500, false, 'An error on our side.', 'Report the request id.'),
  guest_trap: row(502, false, 'The extension failed.', 'See the extension log under the request id.'),
  guest_out_of_memory: row(502, false, 'The extension used up its memory.', 'Use less, or raise limits.memoryMb.'),
  guest_response_invalid: row(502, false, 'The extension answered with an invalid response.', 'Correct the response.'),
  guest_cpu_exceeded: row(
    504,
    false,
    'The extension used up its processor time.',
    'Compute less per call, or raise limits.cpuMs.',
  ),
  guest_limit_exceeded: row(
    502,
    false,
    'The extension went over a limit of its version.',
    'Stay below the limit that `errors` names, or raise it in manifest.json.',
  ),
  guest_quarantined: row(
    503,
    true,
    'The extension crashed too often of late and is kept from running for a while.',
    'Wait for `retry-after`; publish a version that does not crash.',
  ),
  guest_timeout: row(504, false, 'The extension took too long.', 'Do less per call, or raise limits.timeoutMs.'),
  artifact_rejected: row(502, false, 'The stored component failed verification.', 'Publish the version again.'),
  execution_unknown: row(502, false, 'The runner was lost; the call may have run.', 'Check the effect, then repeat.'),
  overloaded: row(503, true, 'No capacity right now.', 'Wait for `retry-after`.'),
  no_runner: row(503, true, 'No runner is available.', 'Start a runner, or wait for `retry-after`.'),
  secrets_unavailable: row(503, true, 'The secrets backend cannot be reached.', 'Wait for `retry-after`.'),
  unavailable: row(503, true, 'A part that this needs cannot be reached.', 'Wait for `retry-after`.'),
  draining: row(503, true, 'This process is shutting down.', 'Repeat the call: another process takes it.'),
  deadline_exceeded: row(504, true, 'No answer within the deadline.', 'Repeat it if it is idempotent.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** A field of the input and what is wrong with it. `field` is a JSON pointer or a name. */
export interface FieldError {
  readonly field: string;
  readonly reason: string;
}

export interface ErrorDetails {
  readonly errors?: readonly FieldError[];
  /** Bytes or items, where a limit was exceeded. */
  readonly limit?: number;
  readonly retryAfterMs?: number;
  /** For our logs only; never sent. */
  readonly cause?: unknown;
}

/** The one error class that crosses process borders. `message` and `errors` are public; `cause` stays in this process. */
export class AlgaError extends Error {
  override readonly name = 'AlgaError';
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly limit: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message?: string, details: ErrorDetails = {}) {
    super(message ?? ERRORS[code].title, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.errors = details.errors ?? [];
    this.limit = details.limit;
    this.retryAfterMs = details.retryAfterMs ?? (ERRORS[code].retryable ? 1000 : undefined);
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERRORS, value);
