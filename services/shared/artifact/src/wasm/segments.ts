import { IMMEDIATE, IMMEDIATES } from './instructions.ts';
import { LIMITS } from './limits.ts';
import type { Reader } from './reader.ts';
import { atMost, malformed, unsupported } from './refused.ts';
import { readReferenceType } from './types.ts';

/** Additions, subtractions and multiplications of i32 and i64. */
const CONSTANT_ARITHMETIC: readonly number[] = [0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e];
const GLOBAL_GET = 0x23;
const REF_FUNC = 0xd2;
const V128_CONST = 12;

/** A constant expression, `end` included. */
export function readExpression(reader: Reader): void {
  const { at: start } = reader;
  for (;;) {
    atMost(reader.at - start, LIMITS.expressionBytes, 'bytes of a constant expression');
    const opcode = reader.u8();
    switch (IMMEDIATES[opcode]) {
      case IMMEDIATE.end:
        return;
      case IMMEDIATE.i32:
        reader.skipSigned(32);
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
      case IMMEDIATE.referenceType:
        readReferenceType(reader);
        break;
      case IMMEDIATE.index:
        if (opcode !== GLOBAL_GET && opcode !== REF_FUNC) notConstant(reader.at);
        reader.u32();
        break;
      case IMMEDIATE.simd:
        if (reader.u32() !== V128_CONST) notConstant(reader.at);
        reader.skip(16);
        break;
      default:
        if (!CONSTANT_ARITHMETIC.includes(opcode)) notConstant(reader.at);
    }
  }
}

function notConstant(at: number): never {
  return unsupported(`an instruction in a constant expression at byte ${at} that is not constant`);
}

/** The element section. */
export function readElements(reader: Reader): void {
  const segments = reader.u32();
  atMost(segments, LIMITS.elementSegments, 'element segments');
  let total = 0;
  for (let index = 0; index < segments; index++) {
    const flags = reader.u32();
    if (flags > 7) malformed(`an element segment of the unknown form ${flags}`);
    const active = (flags & 1) === 0;
    const explicit = (flags & 2) !== 0;
    const expressions = (flags & 4) !== 0;
    if (active && explicit) reader.u32();
    if (active) readExpression(reader);
    if (explicit || !active) readElementKind(reader, expressions);
    const elements = reader.u32();
    total += elements;
    atMost(total, LIMITS.elements, 'elements of all element segments');
    for (let item = 0; item < elements; item++) {
      if (expressions) readExpression(reader);
      else reader.u32();
    }
  }
}

function readElementKind(reader: Reader, expressions: boolean): void {
  if (expressions) readReferenceType(reader);
  else if (reader.u8() !== 0) malformed(`an element segment of an unknown kind at byte ${reader.at}`);
}

/** The data section. @returns how many segments it has. */
export function readData(reader: Reader): number {
  const segments = reader.u32();
  atMost(segments, LIMITS.dataSegments, 'data segments');
  for (let index = 0; index < segments; index++) {
    const flags = reader.u32();
    if (flags > 2) malformed(`a data segment of the unknown form ${flags}`);
    if (flags === 2 && reader.u32() !== 0) unsupported('a second memory (multi-memory) in a data segment');
    if (flags !== 1) readExpression(reader);
    reader.skip(reader.u32());
  }
  return segments;
}
