import type { KnownSecrets } from '@alga/chassis';
import { partialHead, partialTail } from './partial-secret.ts';

const MAX_LINE_CHARS = 8 * 1024;
/**
 * What is looked at of a line at all, since redaction costs time for every character. A value has at most 65,536: one
 * that begins in the part that is shown is seen whole.
 */
export const MAX_INPUT_CHARS = MAX_LINE_CHARS + 64 * 1024;
const MASK = '[secret]';

/**
 * Everything that would let a line pass for two, or speak to a terminal or an editor: C0 and C1 controls (ANSI begins
 * with one), line and paragraph separators, and the marks that turn the direction of text.
 */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu;

/** Makes a guest's text fit for the log: no secret (I3), one line, bounded. */
export class GuestText {
  readonly #known: Pick<KnownSecrets, 'redact'>;
  readonly #read: () => Iterable<string>;

  /** @param read the values that the guest has read so far in this request. */
  constructor(known: Pick<KnownSecrets, 'redact'>, read: () => Iterable<string>) {
    this.#known = known;
    this.#read = read;
  }

  redact(text: string): string {
    return this.#known.redact(text);
  }

  // Redacted before it is cut or escaped: half a secret, or one with its line breaks written out, is a secret still (I3).
  line(text: string): string {
    const redacted = this.redact(text.slice(0, MAX_INPUT_CHARS)).toWellFormed();
    const cut = redacted.length > MAX_LINE_CHARS ? `${redacted.slice(0, MAX_LINE_CHARS)}…` : redacted;
    return cut.toWellFormed().replace(UNSAFE, spellOut);
  }

  /** As `line`, for text that was cut before it came here: what is left of a value at its edges is masked too. */
  fragment(text: string): string {
    const redacted = this.redact(text.slice(0, MAX_INPUT_CHARS));
    const [from, to] = [partialHead(redacted, this.#read()), this.unfinishedAt(redacted)];
    return this.line(`${from > 0 ? MASK : ''}${redacted.slice(from, to)}${to < redacted.length ? MASK : ''}`);
  }

  /** Index at which the text, already redacted, ends in what may become a secret when more arrives; its length if nowhere. */
  unfinishedAt(redacted: string): number {
    return partialTail(redacted, this.#read());
  }
}

function spellOut(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
