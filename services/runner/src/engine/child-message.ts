// A guest may have escaped into the sandbox: its messages are read as an attacker's. What comes out of here has the
// shape it claims, and no getter, prototype or size that could surprise the parent.
import { isPlainData } from '../sandbox/plain-data.ts';
import {
  type FailureReason,
  type FromSandbox,
  type GuestError,
  MAX_GUEST_FRAME_CHARS,
  MAX_GUEST_FRAMES,
  MAX_GUEST_MESSAGE_CHARS,
  MAX_HOST_CALL_BYTES,
  MAX_OUTPUT_CHARS,
  MAX_RESPONSE_BYTES,
} from '../sandbox/protocol.ts';

const MAX_NAME_CHARS = 64;
const MAX_MESSAGE_CHARS = 400;
const MAX_ARGS = 8;
const REASONS: ReadonlySet<unknown> = new Set<FailureReason>([
  'trap',
  'timeout',
  'cpu_exceeded',
  'out_of_memory',
  'lifted_bytes_exceeded',
  'response_too_large',
]);

/** The message, or undefined where it is not one. */
export function parseChildMessage(raw: unknown): FromSandbox | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const message = raw as Record<string, unknown>;
  switch (message.type) {
    case 'ready':
      return { type: 'ready' };
    case 'loaded':
      return isText(message.artifact, 128) ? { type: 'loaded', artifact: message.artifact } : undefined;
    case 'load_failed':
      return isText(message.artifact, 128)
        ? { type: 'load_failed', artifact: message.artifact, message: plainText(message.message) }
        : undefined;
    case 'host_call':
      return parseHostCall(message);
    case 'finished':
      return isId(message.call) && isPlainData(message.response, MAX_RESPONSE_BYTES)
        ? { type: 'finished', call: message.call, response: message.response }
        : undefined;
    case 'output':
      return isId(message.call) &&
        (message.stream === 'stdout' || message.stream === 'stderr') &&
        isText(message.text, MAX_OUTPUT_CHARS)
        ? { type: 'output', call: message.call, stream: message.stream, text: message.text }
        : undefined;
    case 'failed':
      return parseFailure(message);
    case 'cancelled':
      return isId(message.call) ? { type: 'cancelled', call: message.call } : undefined;
    default:
      return undefined;
  }
}

function parseFailure(message: Record<string, unknown>): FromSandbox | undefined {
  if (!isId(message.call) || !REASONS.has(message.reason)) return undefined;
  const guest = parseGuestError(message.guest);
  return {
    type: 'failed',
    call: message.call,
    reason: message.reason as FailureReason,
    message: plainText(message.message),
    ...(guest === undefined ? {} : { guest }),
  };
}

function parseGuestError(value: unknown): GuestError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { message, frames } = value as Record<string, unknown>;
  if (!isText(message, MAX_GUEST_MESSAGE_CHARS) || !Array.isArray(frames) || frames.length > MAX_GUEST_FRAMES) {
    return undefined;
  }
  const texts = frames.filter((frame): frame is string => isText(frame, MAX_GUEST_FRAME_CHARS));
  return { message, frames: texts };
}

function parseHostCall(message: Record<string, unknown>): FromSandbox | undefined {
  const { call, seq, args } = message;
  const name = message.interface;
  const fn = message.function;
  if (!isId(call) || !isId(seq) || !isText(name, MAX_NAME_CHARS) || !isText(fn, MAX_NAME_CHARS)) return undefined;
  if (!Array.isArray(args) || args.length > MAX_ARGS || !isPlainData(args, MAX_HOST_CALL_BYTES)) return undefined;
  return { type: 'host_call', call, seq, interface: name, function: fn, args };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown, maxChars: number): value is string {
  return typeof value === 'string' && value.length <= maxChars;
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, MAX_MESSAGE_CHARS).replace(/[^\x20-\x7e]+/g, ' ') : '';
}
