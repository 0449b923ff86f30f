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

/** A form, and where in it the characters stand by which it is found. */
interface Form {
  readonly text: string;
  readonly anchorAt: number;
}

/** A stretch of a line that holds a form; `end` is the index after it. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Characters by which forms are found: the shortest form has as many. */
const ANCHOR = MIN_LENGTH;
/** Of a polynomial hash modulo 2^32 that can be rolled along a line: the multiplier of FNV-1a, and its power of ANCHOR. */
const BASE = 0x01000193;
const BASE_TO_ANCHOR = Array.from({ length: ANCHOR }, () => BASE).reduce(Math.imul, 1);
const SLOTS = 0x10000;

const slotOf = (hash: number): number => (hash ^ (hash >>> 16)) & (SLOTS - 1);

function anchorHash(text: string, at: number): number {
  let hash = 0;
  for (let index = at; index < at + ANCHOR; index++) hash = (Math.imul(hash, BASE) + text.charCodeAt(index)) | 0;
  return hash;
}

/**
 * Live secret values of this process, so that none leaves it in a log line, whatever field it strays into (I3).
 * Extensions choose what is searched, and a runner knows thousands of values: the search goes once along the line, however
 * many there are (one after the other, 500 values took 18 ms for a line of 64 KiB, in which no other call was served).
 */
export class KnownSecrets {
  readonly #known = new Map<string, { uses: number; readonly forms: readonly Form[] }>();
  /** By the hash of their anchors. */
  readonly #index = new Map<number, Form[]>();
  /** How many forms have an anchor hash of each slot: most places of a line are passed over at the price of one look here. */
  readonly #slots = new Uint32Array(SLOTS);

  /** Counts: a value added twice must be removed twice. */
  add(value: string): void {
    if (value.length < MIN_LENGTH) return;
    const known = this.#known.get(value);
    if (known !== undefined) {
      known.uses += 1;
      return;
    }
    // By their middle: what many secrets have in common is how they begin.
    const forms = [...new Set(encodings(value))].map((text) => ({ text, anchorAt: (text.length - ANCHOR) >> 1 }));
    this.#known.set(value, { uses: 1, forms });
    for (const form of forms) {
      const hash = anchorHash(form.text, form.anchorAt);
      const bucket = this.#index.get(hash);
      if (bucket === undefined) this.#index.set(hash, [form]);
      else bucket.push(form);
      this.#count(hash, 1);
    }
  }

  remove(value: string): void {
    const known = this.#known.get(value);
    if (known === undefined) return;
    known.uses -= 1;
    if (known.uses > 0) return;
    this.#known.delete(value);
    for (const form of known.forms) {
      const hash = anchorHash(form.text, form.anchorAt);
      const rest = (this.#index.get(hash) ?? []).filter((other) => other !== form);
      if (rest.length === 0) this.#index.delete(hash);
      else this.#index.set(hash, rest);
      this.#count(hash, -1);
    }
  }

  redact(line: string): string {
    const spans = this.#find(line);
    if (spans.length === 0) return line;
    spans.sort((a, b) => a.start - b.start);
    let clean = '';
    let shown = 0;
    // Forms that overlap are masked as one: of two secrets that share characters, no end stays to be read.
    for (let index = 0; index < spans.length; ) {
      const { start } = spans[index] as Span;
      let end = start;
      do {
        end = Math.max(end, (spans[index] as Span).end);
        index += 1;
      } while (index < spans.length && (spans[index] as Span).start < end);
      clean += line.slice(shown, start) + MASK;
      shown = end;
    }
    return clean + line.slice(shown);
  }

  #find(line: string): Span[] {
    const spans: Span[] = [];
    if (this.#index.size === 0 || line.length < ANCHOR) return spans;
    let last: Span = { start: 0, end: 0 };
    let hash = anchorHash(line, 0);
    for (let at = 0; ; at++) {
      if (this.#slots[slotOf(hash)] !== 0) {
        for (const { text, anchorAt } of this.#index.get(hash) ?? []) {
          const start = at - anchorAt;
          const end = start + text.length;
          const masked = start >= last.start && end <= last.end;
          if (masked || start < 0 || end > line.length || !line.startsWith(text, start)) continue;
          last = { start, end };
          spans.push(last);
        }
      }
      const next = at + ANCHOR;
      if (next >= line.length) return spans;
      const leaving = Math.imul(line.charCodeAt(at), BASE_TO_ANCHOR);
      hash = (Math.imul(hash, BASE) + line.charCodeAt(next) - leaving) | 0;
    }
  }

  #count(hash: number, change: number): void {
    const slot = slotOf(hash);
    this.#slots[slot] = (this.#slots[slot] ?? 0) + change;
  }
}
