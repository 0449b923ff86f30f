// The list of instructions is held against V8, opcode by opcode: what is read here takes as many bytes as it takes in V8,
// and what V8 knows and we refuse is refused on purpose.
import { u32 } from './encode.ts';
import { readCoreModule } from './read-core-module.ts';
import { Reader } from './reader.ts';
import { refusalOf, type WasmRefusal } from './refused.ts';
import {
  activeElements,
  type Bytes,
  body,
  concat,
  EXTERNREF,
  exported,
  F32,
  F64,
  FUNCREF,
  functionType,
  global,
  I32,
  I64,
  limits,
  moduleOf,
  passiveData,
  V128,
} from './testing/core-module.ts';
import { v8 } from './testing/v8.ts';

/** What an instruction can leave behind. */
const RESULTS = [[], ...[I32, I64, F32, F64, V128, FUNCREF, EXTERNREF].map((type) => [type])];

/** What may stand behind an opcode, shortest first: indexes and constants 0, a reference type, a type, an empty block. */
const IMMEDIATES: readonly Bytes[] = [
  ...[0, 1, 2, 3, 4, 8, 16].map((length) => new Uint8Array(length)),
  [FUNCREF],
  [1, I32],
  [0x40, 0x0b],
];

const OPCODES: readonly Bytes[] = [
  ...Array.from({ length: 256 }, (_, opcode) => [opcode]),
  ...[0xfb, 0xfc, 0xfe].flatMap((prefix) => Array.from({ length: 0x60 }, (_, number) => [prefix, ...u32(number)])),
  ...Array.from({ length: 0x140 }, (_, number) => [0xfd, ...u32(number)]),
];

/**
 * The instruction in a function that traps before it, where its operands may have any type, and last, so that its
 * immediates must not eat the `end`. Everything that an index can name is there once.
 */
function moduleWith(instruction: Bytes, results: readonly number[] = []): Uint8Array {
  return moduleOf([], {
    code: [body([[1, I32]], concat([0x00], instruction))],
    types: [functionType([], []), functionType([], results)],
    functions: [1],
    tables: [concat([FUNCREF], limits(1))],
    memories: [limits(1)],
    globals: [global(I32, true, [0x41, 0x00])],
    exports: [exported('run', 'function', 0)],
    elements: [activeElements([0])],
    dataCount: 1,
    data: [passiveData([1])],
  });
}

/** Is none without an `if` before it. */
const ELSE = '05';

const hex = (bytes: Bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Undefined: our reader takes it, before V8 is asked. */
function refusalBeforeV8(bytes: Uint8Array): WasmRefusal | undefined {
  try {
    readCoreModule(new Reader(bytes));
    return undefined;
  } catch (error) {
    return refusalOf(error);
  }
}

const isRead = (bytes: Uint8Array) => refusalBeforeV8(bytes) === undefined;

interface Verdict {
  readonly opcode: string;
  /** How many bytes it takes behind the opcode; undefined: it is refused. */
  readonly ours: number | undefined;
  readonly v8: number | undefined;
  /** Our reason. */
  readonly reason: string;
}

const verdicts: readonly Verdict[] = OPCODES.map((opcode) => {
  const shortest = (takes: (bytes: Uint8Array) => boolean) =>
    IMMEDIATES.find((immediate) => takes(moduleWith(concat(opcode, immediate))));
  const byV8 = IMMEDIATES.find((immediate) =>
    RESULTS.some((results) => v8.validate(moduleWith(concat(opcode, immediate), results))),
  );
  const refusal = refusalBeforeV8(moduleWith(concat(opcode, byV8 ?? [])));
  return {
    opcode: hex(opcode),
    ours: shortest(isRead)?.length,
    v8: byV8?.length,
    reason: refusal?.message.replace(/ \(.*/, '') ?? '',
  };
});

describe('the instructions of guests', () => {
  it('take as many bytes as in V8', () => {
    const both = verdicts.filter(({ ours, opcode }) => ours !== undefined && opcode !== ELSE);
    expect(both.length).toBeGreaterThan(400);
    expect(both.filter((verdict) => verdict.ours !== verdict.v8)).toEqual([]);
  });

  it('are all that V8 knows, but for the features that guests do not get', () => {
    const features = new Map<string, number>();
    for (const { ours, v8: length, reason } of verdicts) {
      if (ours === undefined && length !== undefined) features.set(reason, (features.get(reason) ?? 0) + 1);
    }
    expect([...features.keys()].sort()).toEqual([
      'exception handling',
      'garbage collection',
      'relaxed SIMD',
      'threads',
      'typed function references',
    ]);
    expect(features.get('relaxed SIMD')).toBe(20);
  });

  it.each([
    [[0x06, 0x40, 0x0b], 'exception handling (opcode 0x6)'],
    [[0x08, 0x00], 'exception handling (opcode 0x8)'],
    [[0x1f, 0x40, 0x00, 0x0b], 'exception handling (opcode 0x1f)'],
    [[0x14, 0x00], 'typed function references (opcode 0x14)'],
    [[0xd5, 0x00], 'typed function references (opcode 0xd5)'],
    [[0xfb, 0x1c], 'garbage collection (opcode 0xfb)'],
    [[0xfe, 0x03, 0x00], 'threads (opcode 0xfe)'],
    [[0xe0, 0x00], 'stack switching (opcode 0xe0)'],
    [[0xfd, 0x80, 0x02], 'relaxed SIMD (0xfd 256)'],
    [[0xfc, 0x13], 'an unknown instruction (0xfc 19)'],
    [[0xff], 'an unknown instruction (opcode 0xff)'],
    [[0x28, 0x42, 0x01, 0x00], 'a second memory (multi-memory)'],
    [[0x3f, 0x01], 'a second memory (multi-memory)'],
    [[0xfc, 0x0b, 0x01], 'a second memory (multi-memory)'],
    [[0x02, 0x64, 0x00, 0x0b], 'typed function references'],
    [[0x02, 0x6e, 0x0b], 'garbage collection or other reference types'],
    [[0x02, 0x69, 0x0b], 'exception handling or stack switching'],
    [[0xd0, 0x6e], 'garbage collection or other reference types'],
  ])('do not include %p: %s', (instruction, reason) => {
    const refusal = refusalBeforeV8(moduleWith(instruction));
    expect(refusal).toMatchObject({ code: 'unsupported', message: expect.stringContaining(reason) });
    expect(refusal?.message).toMatch(/ at byte \d+$/);
  });

  it.each([I32, I64, F32, F64, V128, FUNCREF, EXTERNREF])('take values of the type %i', (type) => {
    const bytes = moduleOf([0x02, type, 0x00, 0x0b, 0x1a]);
    expect([v8.validate(bytes), isRead(bytes)]).toEqual([true, true]);
  });
});
