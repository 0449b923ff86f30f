import fc from 'fast-check';
import { asciiName, s32, u32, Writer } from './encode.ts';
import { Reader } from './reader.ts';
import { WasmRefused } from './refused.ts';
import { name } from './testing/core-module.ts';

const read = (bytes: readonly number[] | Uint8Array) => new Reader(Uint8Array.from(bytes));
/** 32 bits with all lengths of encoding alike: numbers drawn evenly are nearly all of five bytes. */
const anyU32 = fc.tuple(fc.nat(32), fc.maxSafeNat()).map(([bits, number]) => number % 2 ** bits);
const anyS32 = anyU32.map((number) => number | 0);

/** Slow and plain, for comparison: all bits in a BigInt. */
function signed(bytes: readonly number[]): bigint {
  const bits = bytes.reduce((sum, byte, index) => sum | (BigInt(byte & 0x7f) << BigInt(7 * index)), 0n);
  return BigInt.asIntN(7 * bytes.length, bits);
}

describe('numbers', () => {
  it('of 32 bits come back from their encoding, and nothing behind them is touched', () => {
    fc.assert(
      fc.property(anyU32, (number) => {
        const reader = read([...u32(number), 0xff]);
        expect(reader.u32()).toBe(number);
        expect(reader.at).toBe(reader.end - 1);
      }),
      { numRuns: 500 },
    );
  });

  it.each([0, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1])('%d comes back', (number) => {
    expect(read(u32(number)).u32()).toBe(number);
  });

  it('are encoded in as few bytes as they need', () => {
    fc.assert(
      fc.property(anyU32, (number) => {
        const bits = number === 0 ? 1 : Math.floor(Math.log2(number)) + 1;
        expect(u32(number)).toHaveLength(Math.ceil(bits / 7));
      }),
    );
  });

  it('with a sign come back, as a block type and skipped', () => {
    fc.assert(
      fc.property(anyS32, (number) => {
        const bytes = s32(number);
        expect(signed(bytes)).toBe(BigInt(number));
        expect(read(bytes).s33()).toBe(number);
        const reader = read([...bytes, 0xff]);
        reader.skipSigned(32);
        expect(reader.at).toBe(bytes.length);
      }),
      { numRuns: 500 },
    );
  });

  it('padded with zeros are read like others, as linkers pad them', () => {
    expect(read([0x83, 0x80, 0x80, 0x80, 0x00]).u32()).toBe(3);
  });

  it.each([
    ['u32', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], (reader: Reader) => reader.u32()],
    ['u32 of 33 bits', [0xff, 0xff, 0xff, 0xff, 0x1f], (reader: Reader) => reader.u32()],
    ['s33', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], (reader: Reader) => reader.s33()],
    ['s32', [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], (reader: Reader) => reader.skipSigned(32)],
    ['s64', Array(11).fill(0x80), (reader: Reader) => reader.skipSigned(64)],
  ])('that are too long are refused: %s', (_name, bytes, readNumber) => {
    expect(() => readNumber(read(bytes))).toThrow(WasmRefused);
    expect(() => readNumber(read(bytes))).toThrow(/more than \d\d bits/);
  });

  it('cut short anywhere are refused', () => {
    fc.assert(
      fc.property(anyU32, fc.nat(4), (number, cut) => {
        const bytes = u32(number);
        const short = read(bytes.slice(0, Math.min(cut, bytes.length - 1)));
        expect(() => short.u32()).toThrow('the binary ends within an item');
        expect(() => read(bytes.slice(0, -1)).skipSigned(64)).toThrow(WasmRefused);
      }),
    );
  });
});

describe('Reader', () => {
  it('never gives a byte from behind its end, whatever is asked of it', () => {
    const ask = fc.constantFrom('u8', 'u32', 's33', 'name', 'skip', 'sub');
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(40),
        fc.array(ask, { maxLength: 20 }),
        (bytes, cut, asks) => {
          const end = Math.min(cut, bytes.length);
          const reader = new Reader(bytes, 0, end);
          const alone = new Reader(bytes.slice(0, end));
          for (const each of asks) {
            expect(answer(reader, each)).toEqual(answer(alone, each));
            expect(reader.at).toBeLessThanOrEqual(end);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stands behind the part that it gives away, which ends where it was said to', () => {
    const reader = read([1, 2, 3, 4, 5]);
    const part = reader.sub(3);
    expect([part.u8(), part.u8(), part.u8(), part.done, reader.u8()]).toEqual([1, 2, 3, true, 4]);
    expect(() => part.u8()).toThrow('the binary ends within an item');
  });

  it.each([2 ** 32 - 1, 2 ** 31, 5])('refuses to skip %d bytes of 4', (length) => {
    expect(() => read([1, 2, 3, 4]).skip(length)).toThrow(
      `${length} bytes are announced at byte 0, and fewer are left`,
    );
  });

  it('reads names of any characters, and refuses what is not UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(read(name(text)).name()).toBe(text);
      }),
    );
    expect(() => read([2, 0xc3, 0x28]).name()).toThrow('a name that is not UTF-8');
    expect(() => read([3, 0xed, 0xa0, 0x80]).name()).toThrow('a name that is not UTF-8');
    expect(() => read([4, 0x61]).name()).toThrow(WasmRefused);
  });

  it('knows of content that is shorter than announced', () => {
    const reader = read([1, 2]);
    expect(() => reader.finish('the part')).toThrow('the part is 2 bytes longer than its content');
    reader.skip(2);
    reader.finish('the part');
  });
});

describe('Writer', () => {
  it('holds all that was written, in order, whatever its first capacity was', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(fc.uint8Array({ maxLength: 50 })), (capacity, parts) => {
        const writer = new Writer(capacity);
        for (const part of parts) writer.bytes(part);
        const all = parts.flatMap((part) => [...part]);
        expect([...writer.view()]).toEqual(all);
        expect([...writer.finish()]).toEqual(all);
        expect(writer.length).toBe(all.length);
      }),
    );
  });

  it('writes names with their length', () => {
    expect(read(asciiName('alga:rt')).name()).toBe('alga:rt');
  });
});

/** What a reader gives for a question, or that it refuses. */
function answer(reader: Reader, ask: string): unknown {
  const { at } = reader;
  try {
    switch (ask) {
      case 'u8':
        return reader.u8();
      case 'u32':
        return reader.u32();
      case 's33':
        return reader.s33();
      case 'name':
        return reader.name();
      case 'skip':
        return reader.skip(reader.u32());
      default:
        return reader.sub(reader.u8()).end;
    }
  } catch (error) {
    expect(error).toBeInstanceOf(WasmRefused);
    reader.at = at;
    return 'refused';
  }
}
