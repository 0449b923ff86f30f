/** Shorter values would blank out ordinary words. */
const MIN_LENGTH = 6;
const MASK = '[secret]';

/** The encodings in which a value would turn up in a log line. */
function encodings(value: string): string[] {
  const bytes = Buffer.from(value);
  const json = JSON.stringify(value).slice(1, -1);
  return [
    value,
    json,
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(value),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    // The middle of the value's base64 at each of the three alignments it can have inside a longer text.
    ...[0, 1, 2].flatMap((shift) => {
      const encoded = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
      const middle = encoded
        .slice(shift === 0 ? 0 : shift + 1)
        .replace(/=+$/, '')
        .slice(0, -1);
      return [middle, middle.replaceAll('+', '-').replaceAll('/', '_')];
    }),
  ].filter((form) => form.length >= MIN_LENGTH);
}

/** Live secret values of this process, so that none leaves it in a log line, whatever field it strays into (I3). */
export class KnownSecrets {
  readonly #forms = new Map<string, { uses: number; forms: string[] }>();
  /** All forms, longest first, so that a value which contains another is masked whole. Made when next needed. */
  #sorted: readonly string[] | undefined;

  /** Counts: a value added twice must be removed twice. */
  add(value: string): void {
    if (value.length < MIN_LENGTH) return;
    const known = this.#forms.get(value);
    if (known !== undefined) {
      known.uses += 1;
      return;
    }
    this.#forms.set(value, { uses: 1, forms: [...new Set(encodings(value))] });
    this.#sorted = undefined;
  }

  remove(value: string): void {
    const known = this.#forms.get(value);
    if (known === undefined) return;
    known.uses -= 1;
    if (known.uses > 0) return;
    this.#forms.delete(value);
    this.#sorted = undefined;
  }

  redact(line: string): string {
    let clean = line;
    this.#sorted ??= [...this.#forms.values()].flatMap(({ forms }) => forms).sort((a, b) => b.length - a.length);
    for (const form of this.#sorted) {
      if (clean.includes(form)) clean = clean.replaceAll(form, MASK);
    }
    return clean;
  }
}
