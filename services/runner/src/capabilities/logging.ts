import type { Logger } from '@alga/chassis';
import type { AlgaError } from '@alga/contracts';
import type { GuestError } from '../core/guest.ts';
import { type CallScope, type Capability, ok } from './capability.ts';
import type { GuestText } from './guest-text.ts';
import type { LogRate } from './log-rate.ts';
import { OutputLines } from './output-lines.ts';

/** What a line costs beside its own bytes, its labels: an empty one is not free, and the budget bounds their number too. */
const LINE_BYTES = 64;

const LEVELS = { stdout: 'info', stderr: 'warn' } as const;

type Level = 'info' | 'warn' | 'error';

interface GuestLogParts {
  readonly logger: Logger;
  readonly text: GuestText;
  /** Of the install, over all its requests. */
  readonly rate: LogRate;
  /** Bytes that this request may log; beyond them lines are counted, not written. */
  readonly logBytes: number;
}

/** What a guest says, in lines that are labelled with whose they are. */
export class GuestLog {
  readonly #parts: GuestLogParts;
  readonly #logger: Logger;
  readonly #output: Readonly<Record<keyof typeof LEVELS, OutputLines>>;
  #left: number;
  #dropped = 0;

  constructor(parts: GuestLogParts, { claims, requestId }: Pick<CallScope, 'claims' | 'requestId'>) {
    const { tenantId, installId, extensionId, version } = claims;
    this.#parts = parts;
    this.#logger = parts.logger.child({ source: 'guest', tenantId, installId, extensionId, version, requestId });
    this.#left = parts.logBytes;
    const lines = (stream: keyof typeof LEVELS) =>
      new OutputLines(parts.text, (line) => {
        if (line.trim() !== '') this.#line(LEVELS[stream], line, { stream });
      });
    this.#output = { stdout: lines('stdout'), stderr: lines('stderr') };
  }

  capability(): Capability {
    const writer = (level: Level) => (args: readonly unknown[]) => {
      this.write(level, args[0]);
      return ok(undefined);
    };
    return { logInfo: writer('info'), logWarn: writer('warn'), logError: writer('error') };
  }

  write(level: Level, message: unknown): void {
    if (typeof message === 'string') this.#line(level, message, {});
    else this.#dropped += 1;
  }

  /** What the guest wrote on a stream; a line of the log begins where one of the stream does. */
  writeOutput(stream: keyof typeof LEVELS, piece: string): void {
    if (this.#left > 0) this.#output[stream].push(piece);
    else this.#dropped += 1;
  }

  /** Why the call has no response, with the guest's last words: once per call, whatever else it has logged or may log. */
  writeFailure(error: AlgaError, guest: GuestError | undefined): void {
    this.#flush();
    const { text } = this.#parts;
    const frames = guest?.frames.map((frame) => text.fragment(frame)) ?? [];
    this.#logger.error(
      { code: error.code, ...(frames.length === 0 ? {} : { frames }) },
      guest === undefined ? error.message : text.fragment(guest.message),
    );
  }

  /** Writes what is left on the streams, and says how much was left out. What comes later is dropped: its secrets are no longer known. */
  end(): void {
    this.#flush();
    this.#left = 0;
    this.#parts.rate.dropped(this.#dropped);
    this.#dropped = 0;
    const dropped = this.#parts.rate.toSay();
    if (dropped > 0) this.#logger.warn({ dropped }, 'guest log lines dropped');
  }

  #flush(): void {
    this.#output.stdout.end();
    this.#output.stderr.end();
  }

  // The first line that does not fit is the last one that is looked at: redaction costs time, however little is written.
  #line(level: Level, message: string, labels: object): void {
    const { rate, text } = this.#parts;
    if (this.#left > 0 && rate.take()) {
      const line = text.line(message);
      this.#left -= Buffer.byteLength(line) + LINE_BYTES;
      if (this.#left >= 0) return void this.#logger[level](labels, line);
    }
    this.#dropped += 1;
  }
}
