const REDACTED = '[secret]';

/**
 * A value that must not be printed (I3). `JSON.stringify`, string conversion and `console.log` show `[secret]`;
 * only `reveal()` gives the text.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}
