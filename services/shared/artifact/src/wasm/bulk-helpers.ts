// memory.fill, memory.copy and memory.init take as long as their operand says, and nothing interrupts them. In patched code
// each is a call of one of these functions, which has the same effect and the same traps: what is out of bounds traps
// before a byte is written, and an overlapping copy comes out right in both directions.
import { s32, u32 } from './encode.ts';

/** Moved in 0.1 ms: as long as a guest goes on after its time is up. */
export const CHUNK_BYTES = 1_048_576;

const I32 = 0x7f;
const VOID = 0x40;
/** Parameters: destination; value or source; length. */
const [TO, FROM, LENGTH] = [0, 1, 2];

export const HELPER_PARAMS: readonly number[] = [I32, I32, I32];

type Bytes = readonly number[];

const get = (local: number): Bytes => [0x20, local];
const set = (local: number): Bytes => [0x21, local];
const constant = (value: number): Bytes => [0x41, ...s32(value)];
const [ADD, SUB, LESS, GREATER, LESS_OR_EQUAL] = [0x6a, 0x6b, 0x49, 0x4b, 0x4d];
const END = 0x0b;
const sum = (a: number, b: number): Bytes => [...get(a), ...get(b), ADD];
const advance = (local: number, operation: number): Bytes => [
  ...get(local),
  ...constant(CHUNK_BYTES),
  operation,
  ...set(local),
];
const branchIf = (depth: number): Bytes => [0x0d, depth];
const moreThanAChunk: Bytes = [...get(LENGTH), ...constant(CHUNK_BYTES), GREATER];
const loop = (...body: Bytes[]): Bytes => [0x03, VOID, ...body.flat(), ...moreThanAChunk, ...branchIf(0), END];

export type Helper =
  | { readonly kind: 'memory.fill' }
  | { readonly kind: 'memory.copy' }
  | { readonly kind: 'memory.init'; readonly segment: number };

/** The body of a helper, without its size. @param check the interruption check. */
export function helperBody(helper: Helper, check: Bytes): number[] {
  const operation = operationOf(helper);
  const sourceMoves = helper.kind !== 'memory.fill';
  const forward = loop(
    check,
    [...get(TO), ...get(FROM), ...constant(CHUNK_BYTES), ...operation],
    advance(TO, ADD),
    sourceMoves ? advance(FROM, ADD) : [],
    advance(LENGTH, SUB),
  );
  // From the end, where the destination overlaps the source from above.
  const backward = loop(check, advance(LENGTH, SUB), [
    ...sum(TO, LENGTH),
    ...sum(FROM, LENGTH),
    ...constant(CHUNK_BYTES),
    ...operation,
  ]);
  const upwards: Bytes = [...get(TO), ...get(FROM), LESS_OR_EQUAL];
  return [
    0x00, // no locals
    ...check,
    ...[0x02, VOID],
    ...[...get(LENGTH), ...constant(CHUNK_BYTES), LESS_OR_EQUAL, ...branchIf(0)],
    // Where the destination's end is beyond 2^32, the plain instruction traps. The source needs no such check: the probe below
    // keeps the length to that of a memory (256 MiB), so a source that ends beyond 2^32 begins beyond every memory and
    // segment, above the destination, and the first chunk traps.
    ...[...sum(TO, LENGTH), ...get(TO), LESS, ...branchIf(0)],
    // Nothing, written at the end of the range, traps if the range is out of bounds.
    ...[...sum(TO, LENGTH), ...(sourceMoves ? sum(FROM, LENGTH) : get(FROM)), ...constant(0), ...operation],
    ...(helper.kind === 'memory.copy' ? [...upwards, 0x04, VOID, ...forward, 0x05, ...backward, END] : forward),
    END,
    // What is left, or all of it.
    ...[...get(TO), ...get(FROM), ...get(LENGTH), ...operation],
    END,
  ];
}

function operationOf(helper: Helper): Bytes {
  switch (helper.kind) {
    case 'memory.fill':
      return [0xfc, 11, 0];
    case 'memory.copy':
      return [0xfc, 10, 0, 0];
    case 'memory.init':
      return [0xfc, 8, ...u32(helper.segment), 0];
  }
}
