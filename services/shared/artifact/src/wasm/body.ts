import { BULK, featureOf, IMMEDIATE, IMMEDIATES, SIMD_IMMEDIATE, SIMD_IMMEDIATES } from './instructions.ts';
import { LIMITS } from './limits.ts';
import type { Reader } from './reader.ts';
import { atMost, malformed, unsupported } from './refused.ts';
import { readReferenceType, readValueType } from './types.ts';

/** A place in a body that the patch changes. `slow`: an instruction that can take long, yet never without end. */
export interface Site {
  readonly kind: 'loop' | 'memory.fill' | 'memory.copy' | 'memory.init' | 'slow';
  /** First byte of the instruction, and the first behind it. */
  readonly start: number;
  readonly end: number;
  /** Index of the data segment of a `memory.init`. */
  readonly segment: number;
}

/** What a walk through the bodies of a module finds out. */
export interface CodeFacts {
  /** Locals that all functions declare, together. */
  totalLocals: number;
  /** Places that the patch changes, in all functions. */
  sites: number;
  /** Instructions found that change tables or drop segments, by name. */
  readonly mutations: Set<string>;
}

export interface Body {
  /** First byte behind the declarations of locals. */
  readonly codeStart: number;
  /** Whether it has a call instruction of any kind. */
  readonly calls: boolean;
}

const BLOCK_OF_NOTHING = 0x40;
const LOOP = 0x03;
const MEMORY_GROW = 0x40;
const MUTATIONS: Readonly<Record<number, string>> = {
  [BULK.dataDrop]: 'data.drop',
  [BULK.tableInit]: 'table.init',
  [BULK.elemDrop]: 'elem.drop',
  [BULK.tableCopy]: 'table.copy',
  [BULK.tableGrow]: 'table.grow',
  [BULK.tableFill]: 'table.fill',
};

/**
 * Walks through one function body, from the declarations of its locals to the `end` that must be its last byte.
 * @param params of its type.
 * @param sites where the patch has something to do is added to it.
 */
export function readBody(reader: Reader, params: number, facts: CodeFacts, sites?: Site[]): Body {
  const locals = params + readLocals(reader, facts);
  const codeStart = reader.at;
  let calls = false;
  let blocks = 0;
  let depth = 1;
  while (depth > 0) {
    const start = reader.at;
    const opcode = reader.u8();
    switch (IMMEDIATES[opcode]) {
      case IMMEDIATE.none:
        break;
      case IMMEDIATE.index:
        reader.u32();
        break;
      case IMMEDIATE.memory:
        readMemoryArgument(reader);
        break;
      case IMMEDIATE.i32:
        reader.skipSigned(32);
        break;
      case IMMEDIATE.block:
      case IMMEDIATE.if:
      case IMMEDIATE.loop:
        readBlockType(reader);
        blocks++;
        depth++;
        if (depth > LIMITS.blockNesting) atMost(depth, LIMITS.blockNesting, 'blocks within each other');
        if (opcode === LOOP) sites?.push({ kind: 'loop', start, end: reader.at, segment: 0 });
        break;
      case IMMEDIATE.else:
        break;
      case IMMEDIATE.end:
        depth--;
        break;
      case IMMEDIATE.call:
        reader.u32();
        calls = true;
        break;
      case IMMEDIATE.callIndirect:
        reader.u32();
        reader.u32();
        calls = true;
        break;
      case IMMEDIATE.i64:
        reader.skipSigned(64);
        break;
      case IMMEDIATE.f32:
        reader.skip(4);
        break;
      case IMMEDIATE.f64:
        reader.skip(8);
        break;
      case IMMEDIATE.branchTable:
        readBranchTable(reader);
        break;
      case IMMEDIATE.memoryIndex:
        readMemoryIndex(reader);
        if (opcode === MEMORY_GROW) sites?.push({ kind: 'slow', start, end: reader.at, segment: 0 });
        break;
      case IMMEDIATE.selectTyped:
        if (reader.u32() !== 1) malformed('a select of other than one value');
        readValueType(reader);
        break;
      case IMMEDIATE.referenceType:
        readReferenceType(reader);
        break;
      case IMMEDIATE.tableSet:
        reader.u32();
        facts.mutations.add('table.set');
        break;
      case IMMEDIATE.bulk:
        readBulk(reader, start, facts, sites);
        break;
      case IMMEDIATE.simd:
        readSimd(reader);
        break;
      default:
        unsupported(`${featureOf(opcode)} (opcode 0x${opcode.toString(16)}) at byte ${start}`);
    }
  }
  atMost(blocks * (locals + 1), LIMITS.blocksTimesLocals, 'blocks of a function times its locals');
  reader.finish('a function body');
  return { codeStart, calls };
}

function readLocals(reader: Reader, facts: CodeFacts): number {
  let locals = 0;
  for (let groups = reader.u32(); groups > 0; groups--) {
    locals += reader.u32();
    readValueType(reader);
    atMost(locals, LIMITS.localsPerFunction, 'locals of a function');
  }
  facts.totalLocals += locals;
  atMost(facts.totalLocals, LIMITS.totalLocals, 'locals of all functions of a module');
  return locals;
}

function readBlockType(reader: Reader): void {
  const first = reader.bytes[reader.at] ?? 0;
  if (first === BLOCK_OF_NOTHING) reader.at++;
  // One byte with the sign bit of the encoding: a value type. Anything else is the index of a function type.
  else if ((first & 0xc0) === 0x40) readValueType(reader);
  else if (reader.s33() < 0) malformed(`a block type at byte ${reader.at} that is neither a type nor an index`);
}

function readMemoryArgument(reader: Reader): void {
  // Bit 6 says that the index of a memory follows.
  if (reader.u32() >= 64) unsupported(`a second memory (multi-memory) at byte ${reader.at}`);
  reader.u32();
}

function readMemoryIndex(reader: Reader): void {
  if (reader.u8() !== 0) unsupported(`a second memory (multi-memory) at byte ${reader.at}`);
}

function readBranchTable(reader: Reader): void {
  const targets = reader.u32();
  atMost(targets, LIMITS.branchTargets, 'targets of a br_table');
  for (let index = 0; index <= targets; index++) reader.u32();
}

function readBulk(reader: Reader, start: number, facts: CodeFacts, sites: Site[] | undefined): void {
  const number = reader.u32();
  const mutation = MUTATIONS[number];
  if (mutation !== undefined) facts.mutations.add(mutation);
  let kind: Site['kind'] | undefined;
  let segment = 0;
  switch (number) {
    case BULK.memoryInit:
      segment = reader.u32();
      readMemoryIndex(reader);
      kind = 'memory.init';
      break;
    case BULK.memoryCopy:
      readMemoryIndex(reader);
      readMemoryIndex(reader);
      kind = 'memory.copy';
      break;
    case BULK.memoryFill:
      readMemoryIndex(reader);
      kind = 'memory.fill';
      break;
    case BULK.tableInit:
    case BULK.tableCopy:
      reader.u32();
      reader.u32();
      kind = 'slow';
      break;
    case BULK.tableGrow:
    case BULK.tableFill:
      reader.u32();
      kind = 'slow';
      break;
    case BULK.dataDrop:
    case BULK.elemDrop:
    case BULK.tableSize:
      reader.u32();
      break;
    default:
      // Saturating conversions are below; wide arithmetic and what is to come, above.
      if (number > BULK.tableFill) unsupported(`an unknown instruction (0xfc ${number}) at byte ${start}`);
  }
  if (kind !== undefined) sites?.push({ kind, start, end: reader.at, segment });
}

function readSimd(reader: Reader): void {
  const at = reader.at;
  const number = reader.u32();
  switch (SIMD_IMMEDIATES[number]) {
    case SIMD_IMMEDIATE.none:
      break;
    case SIMD_IMMEDIATE.memory:
      readMemoryArgument(reader);
      break;
    case SIMD_IMMEDIATE.memoryLane:
      readMemoryArgument(reader);
      reader.skip(1);
      break;
    case SIMD_IMMEDIATE.lane:
      reader.skip(1);
      break;
    case SIMD_IMMEDIATE.sixteen:
      reader.skip(16);
      break;
    default:
      unsupported(`${number > 0xff ? 'relaxed SIMD' : 'an unknown instruction'} (0xfd ${number}) at byte ${at}`);
  }
}
