// A guest may have escaped into the sandbox: its messages are read as an attacker's. What comes out of here has the
// shape it claims, and no getter, prototype or size that could surprise the parent.
import { isPlainData } from '../sandbox/plain-data.ts';
import { type FailureReason, type FromSandbox, MAX_HOST_CALL_BYTES, MAX_RESPONSE_BYTES } from '../sandbox/protocol.ts';

const MAX_NAME_CHARS = 64;
const MAX_MESSAGE_CHARS = 400;
const MAX_ARGS = 8;
const REASONS: ReadonlySet<unknown> = new Set<FailureReason>([
  'trap',
  'out_of_memory',
  'host_call_too_large',
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
    case 'failed':
      return isId(message.call) && REASONS.has(message.reason)
        ? {
            type: 'failed',
            call: message.call,
            reason: message.reason as FailureReason,
            message: plainText(message.message),
          }
        : undefined;
    case 'cancelled':
      return isId(message.call) ? { type: 'cancelled', call: message.call } : undefined;
    default:
      return undefined;
  }
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
