// Node believes what comes over an IPC channel: bytes that are not its wire format, or one of its own messages out of
// place, end the process that reads them as an uncaught exception, and a message that says it has 4 GiB is collected in
// memory until it is there (measured with Node 26). A guest that has taken its sandbox over could so take the runner, and
// every other tenant with it. Nothing public stands between the pipe and Node's parser, so this reaches into both ends of
// it; where a release of Node keeps them elsewhere, no sandbox starts and the runner says so.
import type { ChildProcess } from 'node:child_process';

/** Twice what a message may be worth (sandbox/protocol.ts), since V8 writes some characters as two bytes, and room for keys. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

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
      () => Number(handle[unreadBytes]),
      () => onViolation(true),
    );
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function guarded(read: ChannelHandle['onread'], unread: () => number, onBroken: () => void): ChannelHandle['onread'] {
  let broken = false;
  return function onread(chunk) {
    // The end of the channel is Node's to handle, whatever came before it.
    if (broken && chunk !== undefined) return;
    try {
      read.call(this, chunk);
      broken ||= unread() > MAX_UNREAD_BYTES;
    } catch {
      broken = true; // V8's text could quote what it could not read
    }
    if (broken && chunk !== undefined) onBroken();
  };
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
