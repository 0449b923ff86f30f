// Node believes what comes over an IPC channel: bytes that are not its wire format, or one of its own messages out of
// place, end the process that reads them as an uncaught exception, a message that says it has 4 GiB is collected in memory
// until it is there, and one that V8 is slow to read holds the thread (measured with Node 26; wire-format.ts). A guest that
// has taken its sandbox over could so take the runner, and every other tenant with it. Nothing public stands between the
// pipe and Node's parser, so this reaches into both ends of it; where a release of Node keeps them elsewhere, no sandbox
// starts and the runner says so.
import type { ChildProcess } from 'node:child_process';
import { isSandboxMessage } from './wire-format.ts';

/** Twice what a message may be worth (sandbox/protocol.ts), since V8 writes some characters as two bytes, and room for keys. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Of 32-bit length, big-endian, that Node puts before a message. */
const PREFIX_BYTES = 4;
/** Chunks that one message may come in. Node reads 64 KiB where they are there; one byte each would cost a thousand times. */
const MAX_PIECES = 4_096;
/**
 * Processor time that the parent spends on reading from one sandbox; what it then does with the messages has limits of its
 * own. Messages at the limits of wire-format.ts take 15 to 40 ms each, and honest ones microseconds. The kernel counts in
 * ticks of some ms, so a short reading mostly counts as nothing, and a long one as what it was. Processor time, since on a
 * slow or shared machine the clock goes on while nothing is read.
 */
const READING_MS_PER_SECOND = 250;
/** The first messages are read by code that V8 has not compiled yet, and one may pay for a collection of all the garbage. */
const READING_BURST_MS = 500;

interface ChannelHandle {
  onread: (this: unknown, chunk: ArrayBuffer | undefined) => void;
  readonly [internal: symbol]: unknown;
}

/**
 * Makes the channel of a fresh child safe to read from. `onViolation` is told, possibly again and again, of what only a
 * hostile child sends; after unreadable or endless bytes nothing more is read.
 * @throws Error where this version of Node cannot be guarded; the child is then killed.
 */
export function guardChannel(child: ChildProcess, onViolation: (unreadable: boolean) => void): void {
  try {
    const handle = memberOf(child, 'kChannelHandle') as ChannelHandle;
    const unreadBytes = symbolOf(handle, 'kMessageBufferSize');
    // What Node says to itself is about handles, and none is ever sent here.
    child.removeAllListeners('internalMessage').on('internalMessage', () => onViolation(false));
    handle.onread = guarded(
      handle.onread,
      () => handle[unreadBytes],
      () => onViolation(true),
    );
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Where Node's streams say which part of a buffer they have filled: it may be longer. */
function filledPart(): (chunk: ArrayBuffer) => Buffer {
  const { binding } = process as unknown as { binding?: (name: string) => Record<string, unknown> };
  const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = binding?.call(process, 'stream_wrap') ?? {};
  if (
    !(
      ArrayBuffer.isView(streamBaseState) &&
      typeof kReadBytesOrError === 'number' &&
      typeof kArrayBufferOffset === 'number'
    )
  ) {
    throw unguardable('streamBaseState');
  }
  const state = streamBaseState as Int32Array;
  return (chunk) => Buffer.from(chunk, state[kArrayBufferOffset], state[kReadBytesOrError]);
}

function guarded(read: ChannelHandle['onread'], unread: () => unknown, onBroken: () => void): ChannelHandle['onread'] {
  const filled = filledPart();
  const inspection = new Inspection();
  const allowance = new Allowance();
  let broken = false;
  return function onread(chunk) {
    // The end of the channel is Node's to handle, whatever came before it.
    if (chunk === undefined) return read.call(this, chunk);
    if (broken) return;
    const before = process.threadCpuUsage();
    try {
      broken = !inspection.admits(filled(chunk));
      if (!broken) read.call(this, chunk);
      // Node cuts the stream as we did, or what it read is not what we looked through.
      broken ||= unread() !== inspection.unread;
    } catch {
      broken = true; // V8's text could quote what it could not read
    }
    const { user, system } = process.threadCpuUsage(before);
    broken ||= !allowance.covers((user + system) / 1_000, performance.now());
    if (broken) onBroken();
  };
}

/** Cuts the stream into messages, and looks through each that is complete. */
class Inspection {
  /** What there is of a message that is not complete. */
  #pieces: Buffer[] = [];
  #unread = 0;
  /** Bytes that it takes to get further: the prefix, or the prefix and what it announces. */
  #needed = PREFIX_BYTES;

  get unread(): number {
    return this.#unread;
  }

  /** Whether every message that ends in this chunk may be read, and the one that begins in it may go on. */
  admits(chunk: Buffer): boolean {
    this.#pieces.push(chunk);
    this.#unread += chunk.length;
    if (this.#unread < this.#needed) return this.#pieces.length <= MAX_PIECES;
    let rest = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces, this.#unread);
    for (;;) {
      this.#needed = PREFIX_BYTES + (rest.length < PREFIX_BYTES ? 0 : rest.readUInt32BE());
      if (this.#needed > PREFIX_BYTES + MAX_MESSAGE_BYTES) return false;
      if (rest.length < this.#needed || rest.length < PREFIX_BYTES) break;
      if (!isSandboxMessage(rest.subarray(PREFIX_BYTES, this.#needed))) return false;
      rest = rest.subarray(this.#needed);
    }
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#unread = rest.length;
    return true;
  }
}

/** A bucket of time that fills again as the clock goes on. */
class Allowance {
  #leftMs = READING_BURST_MS;
  #filledAtMs = performance.now();

  covers(spentMs: number, nowMs: number): boolean {
    const earnedMs = ((nowMs - this.#filledAtMs) / 1_000) * READING_MS_PER_SECOND;
    this.#leftMs = Math.min(READING_BURST_MS, this.#leftMs + earnedMs) - spentMs;
    this.#filledAtMs = nowMs;
    return this.#leftMs >= 0;
  }
}

const memberOf = (target: object, description: string): object => {
  const value = (target as Record<symbol, unknown>)[symbolOf(target, description)];
  if (typeof value !== 'object' || value === null) throw unguardable(description);
  return value;
};

function symbolOf(target: object, description: string): symbol {
  const found = Object.getOwnPropertySymbols(target).find((symbol) => symbol.description === description);
  if (found === undefined) throw unguardable(description);
  return found;
}

const unguardable = (description: string): Error =>
  new Error(`the channel to a sandbox cannot be guarded: Node ${process.version} has no ${description}`);
