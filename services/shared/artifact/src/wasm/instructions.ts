// What an instruction carries behind its opcode, for the instructions that guests may use: WebAssembly 2.0 with tail calls
// and extended constant expressions. A spec holds the list against V8, opcode by opcode.

/** Form of the bytes behind an opcode. */
export const IMMEDIATE = {
  /** Not an instruction that guests may use. */
  refused: 0,
  none: 1,
  block: 2,
  loop: 3,
  if: 4,
  else: 5,
  end: 6,
  /** One index: of a label, local, global, table, or a function whose reference is taken. */
  index: 7,
  call: 8,
  callIndirect: 9,
  branchTable: 10,
  selectTyped: 11,
  memory: 12,
  memoryIndex: 13,
  i32: 14,
  i64: 15,
  f32: 16,
  f64: 17,
  referenceType: 18,
  /** The opcode goes on: 0xfc, 0xfd. */
  bulk: 19,
  simd: 20,
  /** `table.set`. */
  tableSet: 21,
} as const;

function filled(table: Uint8Array, from: number, to: number, value: number): void {
  table.fill(value, from, to + 1);
}

/** {@link IMMEDIATE} by opcode. */
export const IMMEDIATES: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const { none, index, call, callIndirect, memory, memoryIndex } = IMMEDIATE;
  filled(table, 0x00, 0x01, none); // unreachable, nop
  table[0x02] = IMMEDIATE.block;
  table[0x03] = IMMEDIATE.loop;
  table[0x04] = IMMEDIATE.if;
  table[0x05] = IMMEDIATE.else;
  table[0x0b] = IMMEDIATE.end;
  filled(table, 0x0c, 0x0d, index); // br, br_if
  table[0x0e] = IMMEDIATE.branchTable;
  table[0x0f] = none; // return
  table[0x10] = call;
  table[0x11] = callIndirect;
  table[0x12] = call; // return_call
  table[0x13] = callIndirect; // return_call_indirect
  filled(table, 0x1a, 0x1b, none); // drop, select
  table[0x1c] = IMMEDIATE.selectTyped;
  filled(table, 0x20, 0x25, index); // local.*, global.*, table.get
  table[0x26] = IMMEDIATE.tableSet;
  filled(table, 0x28, 0x3e, memory); // loads and stores
  filled(table, 0x3f, 0x40, memoryIndex); // memory.size, memory.grow
  table[0x41] = IMMEDIATE.i32;
  table[0x42] = IMMEDIATE.i64;
  table[0x43] = IMMEDIATE.f32;
  table[0x44] = IMMEDIATE.f64;
  filled(table, 0x45, 0xc4, none); // comparisons, arithmetic, conversions, sign extension
  table[0xd0] = IMMEDIATE.referenceType; // ref.null
  table[0xd1] = none; // ref.is_null
  table[0xd2] = index; // ref.func
  table[0xfc] = IMMEDIATE.bulk;
  table[0xfd] = IMMEDIATE.simd;
  return table;
})();

/** Form of the bytes behind a vector instruction. */
export const SIMD_IMMEDIATE = { refused: 0, none: 1, memory: 2, memoryLane: 3, lane: 4, sixteen: 5 } as const;

/** Numbers that the vector proposal left out. */
const SIMD_GAPS = [
  0x9a, 0xa2, 0xa5, 0xa6, 0xaf, 0xb0, 0xb2, 0xb3, 0xb4, 0xbb, 0xc2, 0xc5, 0xc6, 0xcf, 0xd0, 0xd2, 0xd3, 0xd4, 0xe2,
  0xee,
];

/** {@link SIMD_IMMEDIATE} by the number behind 0xfd; what is above is relaxed SIMD, whose results differ by machine. */
export const SIMD_IMMEDIATES: Uint8Array = (() => {
  const table = new Uint8Array(256);
  filled(table, 0, 255, SIMD_IMMEDIATE.none);
  filled(table, 0, 11, SIMD_IMMEDIATE.memory);
  filled(table, 12, 13, SIMD_IMMEDIATE.sixteen); // v128.const, i8x16.shuffle
  filled(table, 21, 34, SIMD_IMMEDIATE.lane);
  filled(table, 84, 91, SIMD_IMMEDIATE.memoryLane);
  filled(table, 92, 93, SIMD_IMMEDIATE.memory);
  for (const gap of SIMD_GAPS) table[gap] = SIMD_IMMEDIATE.refused;
  return table;
})();

/** Numbers behind 0xfc. Below `memoryInit` are the saturating conversions, without immediates. */
export const BULK = {
  memoryInit: 8,
  dataDrop: 9,
  memoryCopy: 10,
  memoryFill: 11,
  tableInit: 12,
  elemDrop: 13,
  tableCopy: 14,
  tableGrow: 15,
  tableSize: 16,
  tableFill: 17,
} as const;

/** Which feature an opcode that guests may not use belongs to. */
export function featureOf(opcode: number): string {
  if ((opcode >= 0x06 && opcode <= 0x0a) || opcode === 0x18 || opcode === 0x19 || opcode === 0x1f) {
    return 'exception handling';
  }
  if (opcode === 0x14 || opcode === 0x15 || (opcode >= 0xd3 && opcode <= 0xd6)) return 'typed function references';
  if (opcode === 0xfb) return 'garbage collection';
  if (opcode === 0xfe) return 'threads';
  if (opcode >= 0xe0 && opcode <= 0xe6) return 'stack switching';
  return 'an unknown instruction';
}
