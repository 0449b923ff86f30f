import { AlgaError, decodeJson, fromProblem, parse } from '@alga/contracts';
import { JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError, NoRespondersError, RequestError, TimeoutError } from '@nats-io/transport-node';

/** JetStream's own error code. */
const MESSAGE_OVER_STREAM_LIMIT = 10054;

/** `limit` in bytes. */
export const tooLarge = (limit: number): AlgaError =>
  new AlgaError('body_too_large', `The message is over ${limit} bytes.`, { limit });

/** The error that the replier sent. */
export function errorFromReply(data: Uint8Array): AlgaError {
  const raw = decodeJson(data);
  const problem = raw.ok ? parse('problem', raw.value) : raw;
  return problem.ok ? fromProblem(problem.value) : new AlgaError('internal', 'The error reply cannot be read.');
}

/** Why a request got no reply. `forRunner`: nobody who listens is then `no_runner`. */
export function requestFailure(cause: unknown, forRunner: boolean): AlgaError {
  if (cause instanceof AlgaError) return cause;
  const noResponders = cause instanceof NoRespondersError || (cause instanceof RequestError && cause.isNoResponders());
  if (noResponders) return new AlgaError(forRunner ? 'no_runner' : 'unavailable', undefined, { cause });
  if (cause instanceof TimeoutError) return new AlgaError('deadline_exceeded', undefined, { cause });
  return new AlgaError('unavailable', undefined, { cause });
}

/** Why an event was not stored, or not known to be. `limit`: the server's, in bytes. */
export function publishFailure(cause: unknown, limit: number): AlgaError {
  if (isTooLarge(cause)) return tooLarge(limit);
  return new AlgaError('unavailable', 'The event could not be stored.', { cause });
}

/** Found by the client (which tells it by its text alone), or by a stream with a bound of its own. */
const isTooLarge = (cause: unknown): boolean =>
  (cause instanceof InvalidArgumentError && cause.message.includes('max_payload')) ||
  (cause instanceof JetStreamApiError && cause.code === MESSAGE_OVER_STREAM_LIMIT);
