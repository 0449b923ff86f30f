import { isUint8Array } from 'node:util/types';

// What a guest passes is lowered by its own code: a type in the WIT proves nothing here. Each reader returns undefined
// for a value that is not what it should be.

/** Text that has a UTF-8 form, of at most `maxChars` UTF-16 units. */
export function textOf(value: unknown, maxChars: number): string | undefined {
  return typeof value === 'string' && value.length <= maxChars && value.isWellFormed() ? value : undefined;
}

export function bytesOf(value: unknown): Uint8Array | undefined {
  return isUint8Array(value) ? value : undefined;
}

/** A WIT u64, as jco lifts it. */
export function u64Of(value: unknown): bigint | undefined {
  return typeof value === 'bigint' && value >= 0n && value < 1n << 64n ? value : undefined;
}

/** A WIT u32, as jco lifts it. */
export function u32Of(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff ? value : undefined;
}

/** A WIT option: absent, or what `read` makes of it. */
export function optionOf<T>(value: unknown, read: (value: unknown) => T | undefined) {
  if (value === undefined || value === null) return { ok: true, value: undefined } as const;
  const present = read(value);
  return present === undefined ? ({ ok: false } as const) : ({ ok: true, value: present } as const);
}
