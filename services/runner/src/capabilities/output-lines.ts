import { type GuestText, MAX_INPUT_CHARS } from './guest-text.ts';

/**
 * Makes lines of what a guest writes on a stream. A value with line breaks, or one that comes in several pieces, is redacted
 * before it is taken apart: what may be the beginning of one is held back until the rest is there (I3).
 */
export class OutputLines {
  readonly #text: GuestText;
  readonly #emit: (line: string) => void;
  #pending = '';

  constructor(text: GuestText, emit: (line: string) => void) {
    this.#text = text;
    this.#emit = emit;
  }

  push(piece: string): void {
    this.#pending += piece;
    const full = this.#pending.length > MAX_INPUT_CHARS;
    if (!full && !piece.includes('\n')) return;
    const redacted = this.#text.redact(this.#pending);
    const finished = this.#text.unfinishedAt(redacted);
    const lines = redacted.slice(0, finished).split('\n');
    const rest = full ? '' : (lines.pop() ?? '');
    for (const line of lines) this.#emit(line);
    this.#pending = rest + redacted.slice(finished);
  }

  /** Emits what has no line break after it. */
  end(): void {
    const rest = this.#pending;
    this.#pending = '';
    if (rest !== '') this.#emit(this.#text.fragment(rest));
  }
}
