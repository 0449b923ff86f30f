// Binaries of any size, and what is expected of the scan that meets them.
import { SECTION } from '../core-module.ts';
import { u32 } from '../encode.ts';
import type { WasmRefusal } from '../refused.ts';
import {
  type Bytes,
  body,
  CORE_PREAMBLE,
  concat,
  coreModule,
  functionType,
  join,
  moduleOf,
  type Parts,
  section,
} from './core-module.ts';

export const VOID = functionType([], []);
export const NOTHING: Bytes = [0x00, 0x0b];
export const LOOP: Bytes = [0x03, 0x40, 0x0b];
export const MAX = 2 ** 32 - 1;
export const MIB = 1024 * 1024;

/** A function of so many bytes, all `nop`. */
export const longBody = (bytes: number) => body([], new Uint8Array(bytes).fill(0x01));
export const sized = (content: Bytes) => concat(u32(content.length), content);

export function functions(count: number, one: Bytes, parts: Parts = {}): Uint8Array {
  const all = new Uint8Array(one.length * count);
  for (let at = 0; at < all.length; at += one.length) all.set(one, at);
  const base = coreModule({ types: [VOID], ...parts });
  return concat(
    base,
    section(SECTION.function, concat(u32(count), new Uint8Array(count))),
    section(SECTION.code, concat(u32(count), all)),
  );
}

export function blocks(depth: number): Bytes {
  const code = new Uint8Array(3 * depth);
  for (let level = 0; level < depth; level++) {
    code.set([0x02, 0x40], 2 * level);
    code[2 * depth + level] = 0x0b;
  }
  return code;
}

export const memory = (...content: Bytes[]) => coreModule({ memories: content });
/** A section that says that it has so many items, and has none. */
export const counting = (id: number, count: number) => concat(CORE_PREAMBLE, section(id, u32(count)));
export const repeated = (item: Bytes, count: number) => new Array<Bytes>(count).fill(item);

export const manyLoops = (count: number) => moduleOf(join(repeated(LOOP, count)));

/** What it is; what the refusal says, of what and of which limit; the bytes. */
export type Upload = readonly [what: string, message: string, build: () => Uint8Array];

/** Takes a tenth of it; a busy machine may stop for long. A compiler takes longer, or more than a process has. */
const MAX_MS = 1_000;
const MAX_GROWTH = 50 * MIB;

/** The bytes are refused with that code and message, at little cost. */
export function expectRefusal(
  scan: (bytes: Uint8Array) => { readonly ok: true } | WasmRefusal,
  bytes: Uint8Array,
  code: WasmRefusal['code'],
  message: string,
): void {
  const before = process.memoryUsage();
  const begin = performance.now();
  const scanned = scan(bytes);
  const ms = performance.now() - begin;
  const after = process.memoryUsage();
  // What passed is too large to be printed.
  expect(scanned.ok ? 'it passed' : scanned).toEqual({ ok: false, code, message: expect.stringContaining(message) });
  expect(ms).toBeLessThan(MAX_MS);
  expect(after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers).toBeLessThan(MAX_GROWTH);
}
