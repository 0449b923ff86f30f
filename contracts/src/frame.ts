import type { Parsed } from './validate.ts';

/** Head and body of a message whose body is raw bytes: `[u32 LE head length][head JSON][body]`. */
export interface Framed<H> {
  readonly head: H;
  readonly body: Uint8Array;
}

/** Largest head in bytes: headers (128 x 8 KiB) may not fill a whole message. */
export const MAX_HEAD_BYTES = 256 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws RangeError when the head is over MAX_HEAD_BYTES. */
export function encodeFrame(head: unknown, body: Uint8Array): Uint8Array {
  const json = encoder.encode(JSON.stringify(head));
  if (json.length > MAX_HEAD_BYTES) throw new RangeError(`message head is over ${MAX_HEAD_BYTES} bytes`);
  const frame = new Uint8Array(4 + json.length + body.length);
  new DataView(frame.buffer).setUint32(0, json.length, true);
  frame.set(json, 4);
  frame.set(body, 4 + json.length);
  return frame;
}

/** Splits a frame. The head is parsed JSON, not yet validated; the body is a view, not a copy. */
export function decodeFrame(frame: Uint8Array): Parsed<Framed<unknown>> {
  if (frame.length < 4) return malformed('is shorter than its length prefix');
  const length = new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0, true);
  if (length > MAX_HEAD_BYTES) return malformed(`says more than ${MAX_HEAD_BYTES} bytes`);
  if (4 + length > frame.length) return malformed('is longer than the message');
  const head = decodeJson(frame.subarray(4, 4 + length));
  return head.ok ? { ok: true, value: { head: head.value, body: frame.subarray(4 + length) } } : head;
}

/** JSON from bytes; invalid UTF-8 is refused rather than replaced. */
export function decodeJson(bytes: Uint8Array): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(decoder.decode(bytes)) };
  } catch {
    return { ok: false, errors: [{ field: '/', reason: 'is not JSON' }] };
  }
}

export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

const malformed = (reason: string): { ok: false; errors: { field: string; reason: string }[] } => ({
  ok: false,
  errors: [{ field: '/head', reason }],
});
