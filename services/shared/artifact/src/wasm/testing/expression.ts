// Random expressions of guests, by type, written as bytes at once: none of them depends on where it stands.
import fc from 'fast-check';
import { CHUNK_BYTES } from '../bulk-helpers.ts';
import { FUNCTION_TYPE, FUNCTIONS, GLOBALS, LOCALS, MEMORY_BYTES, SWAP_TYPE } from './program-frame.ts';

export type Code = fc.Arbitrary<number[]>;

export const i32Const = (value: number): number[] => [0x41, ...signed(BigInt(value | 0))];

export function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    if (rest >> 6n === 0n || rest >> 6n === -1n) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

const f64Const = (value: number): number[] => [0x44, ...new Uint8Array(Float64Array.of(value).buffer)];
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const sequence = (...parts: Code[]): Code => fc.tuple(...parts).map((codes) => codes.flat());
const code = (...bytes: number[]): Code => fc.constant(bytes);
const oneOf = (opcodes: readonly number[]): Code => fc.constantFrom(...opcodes).map((opcode) => [opcode]);
/** Offsets small enough to stay within, and one that leads out. */
const offset: Code = fc.constantFrom([0x00], [0x03], [0xff, 0x7f], [0x80, 0x80, 0x80, 0x08]);
const local = (indexes: readonly number[]): Code => fc.constantFrom(...indexes).map((index) => [0x20, index]);

/** Places where memory, chunks and numbers end. */
const EDGES = [
  0,
  1,
  2,
  255,
  65_535,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 1,
  MEMORY_BYTES - CHUNK_BYTES,
  MEMORY_BYTES - 8,
  MEMORY_BYTES - 1,
  MEMORY_BYTES,
  MEMORY_BYTES + 1,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_fffe,
  0xffff_ffff,
];

// A type, as fast-check does not take an interface for a record.
type Expressions = {
  readonly i32: number[];
  readonly i64: number[];
  readonly f64: number[];
  readonly v128: number[];
};

export const { i32, i64, f64, v128 } = fc.letrec<Expressions>((tie) => {
  const [i32, i64, f64, v128] = [tie('i32'), tie('i64'), tie('f64'), tie('v128')];
  // Mostly within memory: a module that traps at its first load shows little.
  const address = fc.oneof(
    { weight: 3, arbitrary: fc.nat(MEMORY_BYTES - 16).map(i32Const) },
    { weight: 3, arbitrary: sequence(i32, code(...i32Const(0xfff8), 0x71)) },
    { weight: 1, arbitrary: fc.constantFrom(...EDGES).map(i32Const) },
  );
  const load = (opcodes: Code) => sequence(address, opcodes, code(0x00), offset);
  const operands = sequence(i32, i64, f64);
  return {
    i32: fc.oneof(
      { withCrossShrink: true, maxDepth: 5, depthIdentifier: 'expression' },
      fc.constantFrom(...EDGES, -1, 7).map(i32Const),
      local(LOCALS.i32),
      code(0x23, GLOBALS.i32),
      code(0x23, GLOBALS.constant),
      sequence(i32, i32, oneOf([...range(0x46, 0x4f), ...range(0x6a, 0x78)])),
      sequence(i32, oneOf([0x45, 0x67, 0x68, 0x69, 0xc0, 0xc1])),
      sequence(i64, oneOf([0x50, 0xa7])),
      sequence(i64, i64, oneOf(range(0x51, 0x5a))),
      sequence(f64, f64, oneOf(range(0x61, 0x66))),
      sequence(f64, fc.constantFrom([0xfc, 2], [0xfc, 3], [0xaa], [0xab])),
      load(oneOf([0x28, 0x2c, 0x2d, 0x2e, 0x2f])),
      sequence(i32, i32, i32, code(0x1b)),
      sequence(i32, code(0x04, 0x7f), i32, code(0x05), i32, code(0x0b)),
      // A block that is left with a value.
      sequence(code(0x02, 0x7f), i32, i32, code(0x0d, 0x00, 0x1a), i32, code(0x0b)),
      // A block with two parameters and results, added.
      sequence(i32, i32, code(0x02, SWAP_TYPE), oneOf([0x6a, 0x6b]), i32, code(0x0b, 0x6b)),
      code(0x3f, 0x00),
      fc.constantFrom(0, 1).map((pages) => [...i32Const(pages), 0x40, 0x00]),
      sequence(fc.nat(9).map(i32Const), code(0x25, 0x00, 0xd1)),
      code(0xfc, 16, 0x00),
      sequence(
        operands,
        oneOf(FUNCTIONS.slice()).map(([index]) => [0x10, index ?? 0, 0x1a]),
      ),
      sequence(operands, fc.nat(9).map(i32Const), code(0x11, FUNCTION_TYPE, 0x00, 0x1a)),
      sequence(
        v128,
        fc.nat(3).map((lane) => [0xfd, 0x1b, lane]),
      ),
    ),
    i64: fc.oneof(
      { withCrossShrink: true, maxDepth: 5, depthIdentifier: 'expression' },
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => [0x42, ...signed(value)]),
      local(LOCALS.i64),
      code(0x23, GLOBALS.i64),
      sequence(i64, i64, oneOf(range(0x7c, 0x8a))),
      sequence(i64, oneOf([0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4])),
      sequence(i32, oneOf([0xac, 0xad])),
      sequence(f64, fc.constantFrom([0xfc, 6], [0xfc, 7])),
      load(oneOf([0x29, ...range(0x30, 0x35)])),
    ),
    f64: fc.oneof(
      { withCrossShrink: true, maxDepth: 5, depthIdentifier: 'expression' },
      fc.double().map(f64Const),
      local(LOCALS.f64),
      code(0x23, GLOBALS.f64),
      // Not copysign, nor a store: compilers may differ in the sign of a NaN.
      sequence(f64, f64, oneOf(range(0xa0, 0xa5))),
      sequence(f64, oneOf([0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f])),
      sequence(f64, code(0xb6, 0x91, 0xbb)),
      sequence(i32, oneOf([0xb7, 0xb8])),
      sequence(i64, oneOf([0xb9, 0xba])),
      load(code(0x2b)),
    ),
    v128: fc.oneof(
      { withCrossShrink: true, maxDepth: 4, depthIdentifier: 'expression' },
      local(LOCALS.v128),
      sequence(i32, code(0xfd, 0x11)),
      sequence(v128, v128, code(0xfd, 0xae, 0x01)),
      sequence(
        v128,
        v128,
        fc.array(fc.nat(31), { minLength: 16, maxLength: 16 }).map((lanes) => [0xfd, 13, ...lanes]),
      ),
      load(code(0xfd, 0x00)),
      sequence(address, v128, code(0xfd, 0x56, 0x00), offset, oneOf([0, 1, 2, 3])),
    ),
  };
});

const to: Code = fc.oneof(i32, fc.constantFrom(...EDGES).map(i32Const), fc.nat(MEMORY_BYTES).map(i32Const));

/** Operations on a stretch of memory, with its ends where they can go wrong. */
export const bulkOperation: Code = fc.oneof(
  sequence(to, i32, to, code(0xfc, 11, 0x00)),
  sequence(to, to, to, code(0xfc, 10, 0x00, 0x00)),
  sequence(
    to,
    to,
    to,
    oneOf([0, 1]).map(([segment]) => [0xfc, 8, segment ?? 0, 0x00]),
  ),
);

export const store: Code = fc.oneof(
  sequence(i32, i32, oneOf([0x36, 0x3a, 0x3b]), code(0x00), offset),
  sequence(i32, i64, oneOf([0x37, 0x3c, 0x3d, 0x3e]), code(0x00), offset),
  sequence(i32, v128, code(0xfd, 0x0b, 0x00), offset),
);
