// V8's deserialiser believes what it reads: a Set of doubles that collide in its hash, or a million empty objects, hold the
// parent's thread for seconds to minutes with one message of less than 4 MiB (measured with Node 26), and the runner serves
// every tenant with that thread. So a message is looked through before V8 sees it: this walks the bytes once, in linear
// time and without making a value, and lets pass only what a sandbox of ours writes. The format is that of V8's
// value-serializer.cc, with byte arrays as Node's child_process writes them.
import { serialize } from 'node:v8';
import { type FromSandbox, MAX_HOST_CALL_BYTES, MAX_RESPONSE_BYTES } from '../sandbox/protocol.ts';

/** The child is this same Node: it writes the version that we write. */
const VERSION = serialize(undefined)[1];

/** sandbox/plain-data.ts charges 16 bytes for a value, so a child sends no more; a message has a few around the payload. */
const MAX_VALUES = Math.max(MAX_HOST_CALL_BYTES, MAX_RESPONSE_BYTES) / 16 + 64;
/** plain-data.ts admits 8, and they lie inside of a message. */
const MAX_DEPTH = 12;
/** Of one object. The largest record of the WIT has five fields, the largest message six. */
const MAX_KEYS = 32;
/** WIT names are shorter. */
const MAX_KEY_BYTES = 64;
/** 128 bits; WIT integers have 64. */
const MAX_BIGINT_BYTES = 16;

type Shapes = {
  readonly [T in FromSandbox['type']]: readonly (readonly (keyof Extract<FromSandbox, { type: T }>)[])[];
};

/** Members of the messages: one that no message has would be read, at a price, and then dropped. */
const SHAPES: Shapes = {
  ready: [['type']],
  loaded: [['type', 'artifact']],
  load_failed: [['type', 'artifact', 'message']],
  host_call: [['type', 'call', 'seq', 'interface', 'function', 'args']],
  output: [['type', 'call', 'stream', 'text']],
  finished: [['type', 'call', 'response']],
  failed: [
    ['type', 'call', 'reason', 'message'],
    ['type', 'call', 'reason', 'message', 'guest'],
  ],
  cancelled: [['type', 'call']],
};

const shapes = Object.values(SHAPES).flat() as readonly (readonly string[])[];
const MEMBER_BITS = new Map([...new Set(shapes.flat())].map((name, index) => [name, 1 << index]));
const KNOWN_SHAPES = new Set(shapes.map((names) => names.reduce((bits, name) => bits | bitOf(name), 0)));

const code = (character: string): number => character.charCodeAt(0);
const HEADER = 0xff;
const PADDING = 0;
const UNDEFINED = code('_');
const NULL = code('0');
const TRUE = code('T');
const FALSE = code('F');
const INT32 = code('I');
const UINT32 = code('U');
const DOUBLE = code('N');
const BIGINT = code('Z');
const ONE_BYTE_STRING = code('"');
const TWO_BYTE_STRING = code('c');
const UTF8_STRING = code('S');
const OBJECT = code('o');
const OBJECT_END = code('{');
const DENSE_ARRAY = code('A');
const DENSE_ARRAY_END = code('$');
const SPARSE_ARRAY = code('a');
const SPARSE_ARRAY_END = code('@');
const HOST_OBJECT = code('\\');
/** Node: an ArrayBufferView follows, and not the members of some other host object. */
const VIEW = 0;
/** Node: the view is a Uint8Array, or a Buffer, which is what a byte array becomes that comes back from the child. */
const BYTE_VIEWS: ReadonlySet<number> = new Set([1, 10]);

/** Of what `Scan` reads, where there is no such thing. */
const NONE = -1;

/**
 * Whether `payload`, one serialised value without Node's length prefix, has the members of a message of the sandbox and is
 * made of what those are made of: undefined, null, booleans, numbers, bigints, strings, Uint8Arrays, arrays without holes
 * and plain objects, none of them twice. What a member holds is for child-message.ts to judge.
 */
export function isSandboxMessage(payload: Uint8Array): boolean {
  return new Scan(payload).message();
}

class Scan {
  readonly #bytes: Uint8Array;
  #at = 0;
  #values = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  message(): boolean {
    if (this.#byte() !== HEADER || this.#byte() !== VERSION || this.#byte() !== OBJECT) return false;
    return KNOWN_SHAPES.has(this.#object(1)) && this.#at === this.#bytes.length;
  }

  #value(depth: number): boolean {
    if (++this.#values > MAX_VALUES) return false;
    const tag = this.#byte();
    switch (tag) {
      case UNDEFINED:
      case NULL:
      case TRUE:
      case FALSE:
        return true;
      case INT32:
      case UINT32:
        return this.#varint() !== NONE;
      case DOUBLE:
        return this.#skip(8);
      case BIGINT:
        return this.#bigint();
      case ONE_BYTE_STRING:
      case UTF8_STRING:
        return this.#skip(this.#varint());
      // V8 begins the characters at an even offset.
      case PADDING:
        return this.#byte() === TWO_BYTE_STRING && this.#twoByteString();
      case TWO_BYTE_STRING:
        return this.#twoByteString();
      case HOST_OBJECT:
        return this.#varint() === VIEW && BYTE_VIEWS.has(this.#varint()) && this.#skip(this.#varint());
      case DENSE_ARRAY:
        return depth < MAX_DEPTH && this.#array(depth + 1);
      case SPARSE_ARRAY:
        return depth < MAX_DEPTH && this.#holeyArray(depth + 1);
      case OBJECT:
        return depth < MAX_DEPTH && this.#object(depth + 1) !== NONE;
      default:
        return false;
    }
  }

  #twoByteString(): boolean {
    const length = this.#varint();
    return length % 2 === 0 && this.#skip(length);
  }

  // A bit for the sign, then the length in bytes.
  #bigint(): boolean {
    const field = this.#varint();
    return field !== NONE && field >>> 1 <= MAX_BIGINT_BYTES && this.#skip(field >>> 1);
  }

  // V8 allocates for the length that is claimed, before it reads an element.
  #array(depth: number): boolean {
    const length = this.#varint();
    if (length === NONE || length > MAX_VALUES - this.#values) return false;
    for (let index = 0; index < length; index++) if (!this.#value(depth)) return false;
    return this.#byte() === DENSE_ARRAY_END && this.#varint() === 0 && this.#varint() === length;
  }

  // What `map` or `new Array(n)` made is written as sparse, each element behind its index, even where there is no hole.
  #holeyArray(depth: number): boolean {
    const length = this.#varint();
    if (length === NONE || length > MAX_VALUES - this.#values) return false;
    for (let index = 0; index < length; index++) {
      if (this.#byte() !== INT32 || this.#varint() !== 2 * index || !this.#value(depth)) return false;
    }
    return this.#byte() === SPARSE_ARRAY_END && this.#varint() === length && this.#varint() === length;
  }

  /** @returns at depth 1 the bits of its members, deeper 0; NONE where it is not one. */
  #object(depth: number): number {
    let members = 0;
    for (let keys = 0; keys <= MAX_KEYS; keys++) {
      const tag = this.#byte();
      if (tag === OBJECT_END) return this.#varint() === keys ? members : NONE;
      const start = tag === ONE_BYTE_STRING ? this.#key() : NONE;
      if (start === NONE) return NONE;
      if (depth === 1) {
        const bit = bitOf(String.fromCharCode(...this.#bytes.subarray(start, this.#at)));
        if (bit === 0) return NONE;
        members |= bit;
      }
      if (!this.#value(depth)) return NONE;
    }
    return NONE;
  }

  /** Passes over a key, and says where it starts. Digits are refused: V8 would make an element of it, hashed by its value. */
  #key(): number {
    const length = this.#varint();
    const start = this.#at;
    const first = this.#bytes[start] ?? NONE;
    const isNumeric = first >= code('0') && first <= code('9');
    return length > 0 && length <= MAX_KEY_BYTES && !isNumeric && this.#skip(length) ? start : NONE;
  }

  #byte(): number {
    return this.#bytes[this.#at++] ?? NONE;
  }

  /** An unsigned integer of 32 bits, 7 in each byte, the lowest first. */
  #varint(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.#byte();
      if (byte === NONE) return NONE;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value < 2 ** 32 ? value : NONE;
    }
    return NONE;
  }

  #skip(count: number): boolean {
    if (count === NONE || count > this.#bytes.length - this.#at) return false;
    this.#at += count;
    return true;
  }
}

function bitOf(member: string): number {
  return MEMBER_BITS.get(member) ?? 0;
}
