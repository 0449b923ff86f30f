import type { KnownSecrets, Logger } from '@alga/chassis';
import { type CallScope, type Capability, ok } from './capability.ts';

/** Per request: beyond them lines are counted, not written. */
const MAX_LINES = 100;
const MAX_TOTAL_CHARS = 64 * 1024;
const MAX_LINE_CHARS = 8 * 1024;
/** What is looked at of a line at all: redaction costs time for every character. */
const MAX_INPUT_CHARS = 64 * 1024;

/**
 * Everything that would let a line pass for two, or speak to a terminal or an editor: C0 and C1 controls (ANSI begins
 * with one), line and paragraph separators, and the marks that turn the direction of text.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

type Level = 'info' | 'warn' | 'error';

/** A guest's log lines, labelled with whose they are. */
export class GuestLog {
  readonly #logger: Logger;
  readonly #redact: (text: string) => string;
  #lines = 0;
  #chars = 0;
  #dropped = 0;

  constructor(
    logger: Logger,
    knownSecrets: Pick<KnownSecrets, 'redact'>,
    { claims, requestId }: Omit<CallScope, 'explain'>,
  ) {
    const { tenantId, installId, extensionId, version } = claims;
    this.#logger = logger.child({ source: 'guest', tenantId, installId, extensionId, version, requestId });
    this.#redact = (text) => knownSecrets.redact(text);
  }

  capability(): Capability {
    const writer = (level: Level) => (args: readonly unknown[]) => {
      this.write(level, args[0]);
      return ok(undefined);
    };
    return { logInfo: writer('info'), logWarn: writer('warn'), logError: writer('error') };
  }

  write(level: Level, message: unknown): void {
    if (typeof message !== 'string' || this.#lines >= MAX_LINES || this.#chars >= MAX_TOTAL_CHARS) {
      this.#dropped += 1;
      return;
    }
    const line = this.#harmless(message);
    this.#lines += 1;
    this.#chars += line.length;
    this.#logger[level]({}, line);
  }

  /** Says how much was left out. */
  end(): void {
    if (this.#dropped > 0) this.#logger.warn({ dropped: this.#dropped }, 'guest log lines dropped');
  }

  // Redacted before it is cut or escaped: half a secret, or one with its line breaks written out, is a secret still (I3).
  #harmless(message: string): string {
    const redacted = this.#redact(message.slice(0, MAX_INPUT_CHARS)).toWellFormed();
    const cut = redacted.length > MAX_LINE_CHARS ? `${redacted.slice(0, MAX_LINE_CHARS)}…` : redacted;
    return cut.toWellFormed().replace(UNSAFE, spellOut);
  }
}

function spellOut(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
