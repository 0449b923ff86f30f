import type { Reader } from './reader.ts';
import { malformed, unsupported } from './refused.ts';

export const I32 = 0x7f;
export const V128 = 0x7b;
const FUNCREF = 0x70;
const EXTERNREF = 0x6f;
/** Value types are i32, i64, f32, f64, v128, from 0x7f down to 0x7b, and the two reference types. */
export function readValueType(reader: Reader): number {
  const type = reader.u8();
  if ((type > I32 || type < V128) && type !== FUNCREF && type !== EXTERNREF) refuseType(type, reader.at - 1);
  return type;
}

export function readReferenceType(reader: Reader): number {
  const type = reader.u8();
  if (type !== FUNCREF && type !== EXTERNREF) refuseType(type, reader.at - 1);
  return type;
}

export function isNumeric(type: number): boolean {
  return type <= I32 && type > V128;
}

function refuseType(type: number, at: number): never {
  if (type === 0x69 || type === 0x68 || type === 0x74)
    unsupported(`exception handling or stack switching at byte ${at}`);
  if (type === 0x63 || type === 0x64) unsupported(`typed function references at byte ${at}`);
  if (type >= 0x65 && type <= 0x78) unsupported(`garbage collection or other reference types at byte ${at}`);
  return malformed(`a value type that does not exist at byte ${at}`);
}

/** `max` undefined: none declared. Elements or pages. */
export interface SizeLimits {
  readonly min: number;
  readonly max: number | undefined;
}

/** The size of a memory or table. */
export function readSizeLimits(reader: Reader, what: 'memory' | 'table'): SizeLimits {
  const flags = reader.u8();
  if (flags & 0x02) unsupported(`a shared ${what} at byte ${reader.at}`);
  if (flags & 0x04) unsupported(`a 64-bit ${what} at byte ${reader.at}`);
  if (flags & 0x08) unsupported(`a ${what} with pages of another size at byte ${reader.at}`);
  if (flags > 1) malformed(`the flags of a ${what} at byte ${reader.at}`);
  const min = reader.u32();
  const max = flags === 1 ? reader.u32() : undefined;
  if (max !== undefined && max < min) malformed(`a ${what} whose maximum is below its minimum`);
  return { min, max };
}
