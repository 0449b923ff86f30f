import { malformed } from './refused.ts';

/** A number in LEB128 takes at most this many bytes. */
const MAX_U32_BYTES = 5;

/** Reads a binary from `at` to `end` and never a byte beyond: every read is checked. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    if (this.at >= this.end) malformed(`the binary ends within an item, at byte ${this.at}`);
    return this.bytes[this.at++] ?? 0;
  }

  u32(): number {
    // Most numbers in a module take one byte.
    const first = this.u8();
    if (first < 0x80) return first;
    let result = first & 0x7f;
    for (let index = 1; index < MAX_U32_BYTES; index++) {
      const byte = this.u8();
      if (index === MAX_U32_BYTES - 1 && byte > 0x0f) break;
      result += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return result;
    }
    return malformed(`a number of more than 32 bits at byte ${this.at}`);
  }

  /** A signed number of at most `bits` bits whose value does not matter here. */
  skipSigned(bits: 32 | 33 | 64): void {
    const last = Math.ceil(bits / 7);
    for (let index = 1; index <= last; index++) {
      if (this.u8() < 0x80) return;
    }
    malformed(`a number of more than ${bits} bits at byte ${this.at}`);
  }

  /** A signed number of at most 33 bits: a block type. */
  s33(): number {
    let result = 0;
    for (let index = 0; index < MAX_U32_BYTES; index++) {
      const byte = this.u8();
      result += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return byte & 0x40 ? result - 2 ** (7 * (index + 1)) : result;
    }
    return malformed(`a block type of more than 33 bits at byte ${this.at}`);
  }

  skip(length: number): void {
    if (length > this.end - this.at) malformed(`${length} bytes are announced at byte ${this.at}, and fewer are left`);
    this.at += length;
  }

  /** The next `length` bytes as a reader of their own; this one goes on behind them. */
  sub(length: number): Reader {
    const start = this.at;
    this.skip(length);
    return new Reader(this.bytes, start, this.at);
  }

  name(): string {
    const { bytes, at, end } = this.sub(this.u32());
    try {
      return UTF8.decode(bytes.subarray(at, end));
    } catch {
      return malformed(`a name that is not UTF-8 at byte ${at}`);
    }
  }

  /** Nothing may be left: a section that is longer than its content lies about one of them. */
  finish(what: string): void {
    if (this.at !== this.end) malformed(`${what} is ${this.end - this.at} bytes longer than its content`);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
