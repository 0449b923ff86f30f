import { type FromSandbox, MAX_OUTPUT_CHARS, type OutputStreamName } from './protocol.ts';

/** Guests' last words are at the end of what they wrote. */
const STDERR_TAIL_CHARS = 4_096;

type OutputMessage = Extract<FromSandbox, { type: 'output' }>;

/**
 * What the guest of one call writes. It is gathered, so that a guest that writes one character at a time makes no more
 * messages than one that writes it all at once.
 */
export class Written {
  /** The end of what was written on stderr. */
  stderrTail = '';
  readonly #call: number;
  readonly #tell: (message: OutputMessage) => void;
  /** Made when first written to: most calls write nothing. */
  readonly #decoders: Partial<Record<OutputStreamName, TextDecoder>> = {};
  readonly #gathered: Record<OutputStreamName, string> = { stdout: '', stderr: '' };
  #charsLeft: number;

  /** @param maxChars what is more is dropped. */
  constructor(call: number, maxChars: number, tell: (message: OutputMessage) => void) {
    this.#call = call;
    this.#charsLeft = maxChars;
    this.#tell = tell;
  }

  add(stream: OutputStreamName, bytes: Uint8Array): void {
    this.#decoders[stream] ??= new TextDecoder();
    const text = this.#decoders[stream].decode(bytes, { stream: true }).slice(0, Math.max(0, this.#charsLeft));
    this.#charsLeft -= text.length;
    if (stream === 'stderr') this.stderrTail = (this.stderrTail + text).slice(-STDERR_TAIL_CHARS);
    let gathered = this.#gathered[stream] + text;
    for (; gathered.length >= MAX_OUTPUT_CHARS; gathered = gathered.slice(MAX_OUTPUT_CHARS)) {
      this.#tell({ type: 'output', call: this.#call, stream, text: gathered.slice(0, MAX_OUTPUT_CHARS) });
    }
    this.#gathered[stream] = gathered;
  }

  /** Tells what is gathered. */
  flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const text = this.#gathered[stream];
      this.#gathered[stream] = '';
      if (text !== '') this.#tell({ type: 'output', call: this.#call, stream, text });
    }
  }

  /** Forgets what is gathered, and takes no more. */
  drop(): void {
    this.#gathered.stdout = '';
    this.#gathered.stderr = '';
    this.#charsLeft = 0;
  }
}
