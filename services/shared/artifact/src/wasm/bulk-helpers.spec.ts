// Bulk operations of a patched module against those of V8, around the size of a chunk and at the edges of memory.
import { CHUNK_BYTES } from './bulk-helpers.ts';
import { type Bytes, body, exported, functionType, I32, limits, moduleOf, passiveData } from './testing/core-module.ts';
import { outcomeOf, runOriginal, runPatched } from './testing/patched.ts';

const C = CHUNK_BYTES;
/** 4 MiB, so that three chunks and a rest fit. */
const PAGES = 64;
const SIZE = PAGES * 65_536;
const MAX = 2 ** 32 - 1;
/** Of the data segment, two chunks and a rest. */
const SEGMENT = 2 * C + 3;

/** Bytes whose period is no power of two, so that a shift by a chunk shows. */
function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = index % 251;
  return bytes;
}

const OPERATIONS = {
  fill: [0xfc, 11, 0],
  copy: [0xfc, 10, 0, 0],
  init: [0xfc, 8, 0, 0],
  initOther: [0xfc, 8, 1, 0],
} as const;
const PARAMETERS: Bytes = [0x20, 0x00, 0x20, 0x01, 0x20, 0x02];

/** Exports the operations with their operands as parameters. */
const BYTES = moduleOf([], {
  types: [functionType([I32, I32, I32], [])],
  functions: [0, 0, 0, 0],
  memories: [limits(PAGES, PAGES)],
  exports: [
    exported('memory', 'memory', 0),
    ...Object.keys(OPERATIONS).map((name, index) => exported(name, 'function', index)),
  ],
  dataCount: 2,
  code: Object.values(OPERATIONS).map((operation) => body([], [...PARAMETERS, ...operation])),
  data: [passiveData(pattern(SEGMENT).map((byte) => 255 - byte)), passiveData(pattern(SEGMENT).fill(0xee))],
});

const original = runOriginal(BYTES);
const patched = runPatched(BYTES);
const memories = [original, patched].map(({ memory }) => Buffer.from(memory?.buffer ?? new ArrayBuffer(0)));
const fresh = pattern(SIZE);

/** Whether both came to the same, memory included. @returns what they came to. */
function compare(operation: keyof typeof OPERATIONS, ...operands: readonly [number, number, number]) {
  for (const memory of memories) memory.set(fresh);
  const expected = outcomeOf(original.exports, operation, ...operands);
  expect({ operands, outcome: outcomeOf(patched.exports, operation, ...operands) }).toEqual({
    operands,
    outcome: expected,
  });
  const [before, after] = memories as [Buffer, Buffer];
  expect({ operands, same: before.equals(after) }).toEqual({ operands, same: true });
  return { trapped: 'trap' in expected, untouched: after.equals(fresh) };
}

const LENGTHS = [0, 1, C - 1, C, C + 1, 2 * C - 1, 2 * C, 2 * C + 1, 3 * C, 3 * C + 7];

describe('memory.fill', () => {
  it.each(LENGTHS)('of %i bytes fills them and no other', (length) => {
    compare('fill', 0, 0xab, length);
    compare('fill', 5, 0xab, length);
    compare('fill', SIZE - length, 0x1ff, length);
  });
});

describe('memory.copy', () => {
  const distances = [0, 1, 3, C - 1, C, C + 1, 2 * C];

  it.each(LENGTHS)('of %i bytes comes out right in both directions, however the ranges overlap', (length) => {
    for (const distance of distances) {
      if (distance + length > SIZE) continue;
      compare('copy', 0, distance, length);
      compare('copy', distance, 0, length);
      compare('copy', SIZE - length - distance, SIZE - length, length);
      compare('copy', SIZE - length, SIZE - length - distance, length);
    }
  });
});

describe('memory.init', () => {
  it.each(LENGTHS.filter((length) => length <= SEGMENT))('of %i bytes copies them from the segment', (length) => {
    compare('init', 0, 0, length);
    compare('init', 7, SEGMENT - length, length);
    compare('init', SIZE - length, 0, length);
  });
});

describe('memory.init of two segments', () => {
  it.each(LENGTHS.filter((length) => length <= SEGMENT))('takes the bytes of the one it names: %i', (length) => {
    compare('init', 0, 1, Math.max(0, length - 1));
    compare('initOther', 3, 0, length);
  });
});

describe('a bulk operation out of bounds', () => {
  const destinations = [0, 1, C, SIZE - C, SIZE - 1, SIZE, SIZE + 1, 2 ** 31, MAX - C, MAX - 1, MAX];
  const lengths = [0, 1, 2, C, C + 1, 2 * C, SIZE, SIZE + 1, 2 ** 31, MAX - SIZE, MAX - C, MAX - 1, MAX];

  it.each(['fill', 'copy', 'init'] as const)(
    'traps before a byte is written, wherever it is beyond: %s',
    (operation) => {
      let traps = 0;
      for (const to of destinations) {
        for (const length of lengths) {
          const { trapped, untouched } = compare(operation, to, 0, length);
          if (!trapped) continue;
          traps++;
          expect({ to, length, untouched }).toEqual({ to, length, untouched: true });
        }
      }
      expect(traps).toBeGreaterThan(80);
    },
  );

  it.each([
    ['copy', SIZE],
    ['init', SEGMENT],
  ] as const)('traps before a byte is written where the source of %s ends too soon', (operation, end) => {
    for (const [from, length] of [
      [end, 1],
      [end + 1, 0],
      [end - C, C + 1],
      [end - 2 * C, 2 * C + 1],
      [MAX, 1],
      [MAX, C + 1],
      [MAX - C, C + 1],
      [MAX - C, 2 * C],
      // Ends at 2^32, or wraps around it, though the destination fits.
      [2 ** 32 - 2 * C, 2 * C],
      [2 ** 32 - SIZE, SIZE],
      [2 ** 32 - SIZE + 1, SIZE],
      [MAX, SIZE],
    ] as const) {
      expect({ from, length, ...compare(operation, 0, from, length) }).toEqual({
        from,
        length,
        trapped: true,
        untouched: true,
      });
    }
    expect(compare(operation, 0, end, 0).trapped).toBe(false);
  });
});
