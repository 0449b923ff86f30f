// Writes core modules from their parts, right ones and wrong ones: nothing is checked, so that a spec can lie anywhere.
import { KIND, SECTION } from '../core-module.ts';
import { u32 } from '../encode.ts';

export type Bytes = readonly number[] | Uint8Array;

export const CORE_PREAMBLE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Value types. */
export const [I32, I64, F32, F64, V128, FUNCREF, EXTERNREF] = [0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f] as const;

export interface Parts {
  /** Each item is the encoding of one entry of its section; `types` are written with {@link functionType}. */
  readonly types?: readonly Bytes[];
  readonly imports?: readonly Bytes[];
  /** Indexes of the types of the functions whose bodies are in `code`. */
  readonly functions?: readonly number[];
  readonly tables?: readonly Bytes[];
  readonly memories?: readonly Bytes[];
  readonly globals?: readonly Bytes[];
  readonly exports?: readonly Bytes[];
  readonly start?: number;
  readonly elements?: readonly Bytes[];
  readonly dataCount?: number;
  /** With {@link body}. */
  readonly code?: readonly Bytes[];
  readonly data?: readonly Bytes[];
}

export function concat(...parts: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  return join(parts);
}

/** Of any number of parts. */
export function join(parts: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function section(id: number, content: Bytes): Uint8Array<ArrayBuffer> {
  return concat([id], u32(content.length), content);
}

/** A count and as many items. */
export function vector(items: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  return join([u32(items.length), ...items]);
}

export function coreModule(parts: Parts): Uint8Array<ArrayBuffer> {
  const lists: [number, readonly Bytes[] | undefined][] = [
    [SECTION.type, parts.types],
    [SECTION.import, parts.imports],
    [SECTION.function, parts.functions?.map(u32)],
    [SECTION.table, parts.tables],
    [SECTION.memory, parts.memories],
    [SECTION.global, parts.globals],
    [SECTION.export, parts.exports],
    [SECTION.start, undefined],
    [SECTION.element, parts.elements],
    [SECTION.dataCount, undefined],
    [SECTION.code, parts.code],
    [SECTION.data, parts.data],
  ];
  const sections = lists.map(([id, items]) => {
    if (id === SECTION.start && parts.start !== undefined) return section(id, u32(parts.start));
    if (id === SECTION.dataCount && parts.dataCount !== undefined) return section(id, u32(parts.dataCount));
    return items === undefined ? [] : section(id, vector(items));
  });
  return join([CORE_PREAMBLE, ...sections]);
}

export function functionType(params: readonly number[], results: readonly number[]): Bytes {
  return [0x60, ...u32(params.length), ...params, ...u32(results.length), ...results];
}

/** @param locals runs of as many locals of a type. @param code without the last `end`. */
export function body(locals: readonly (readonly [number, number])[], code: Bytes): Bytes {
  const declared = vector(locals.map(([count, type]) => [...u32(count), type]));
  return concat(u32(declared.length + code.length + 1), declared, code, [0x0b]);
}

export function name(text: string): Bytes {
  const utf8 = new TextEncoder().encode(text);
  return concat(u32(utf8.length), utf8);
}

export function exported(text: string, kind: keyof typeof KIND, index: number): Bytes {
  return concat(name(text), [KIND[kind]], u32(index));
}

export function imported(module: string, field: string, kind: number, description: Bytes): Bytes {
  return concat(name(module), name(field), [kind], description);
}

/** Of a memory, in pages, or of a table, behind its element type. */
export function limits(min: number, max?: number): Bytes {
  return max === undefined ? [0, ...u32(min)] : [1, ...u32(min), ...u32(max)];
}

export function global(type: number, mutable: boolean, initial: Bytes): Bytes {
  return [type, mutable ? 1 : 0, ...initial, 0x0b];
}

/** A data segment that is copied by `memory.init` only. */
export function passiveData(bytes: Bytes): Bytes {
  return concat([1], u32(bytes.length), bytes);
}

/** A data segment that is copied to an address when the module is instantiated. */
export function activeData(address: Bytes, bytes: Bytes): Bytes {
  return concat([0], address, [0x0b], u32(bytes.length), bytes);
}

/** An element segment that fills table 0 from its beginning. */
export function activeElements(functions: readonly number[]): Bytes {
  return concat([0, 0x41, 0x00, 0x0b], vector(functions.map(u32)));
}

/** A custom section of a binary, component or module. */
export function customSection(title: string, content: Bytes): Bytes {
  return section(SECTION.custom, concat(name(title), content));
}

/** The smallest module that does something: one function without parameters or results, exported as `run`. */
export function moduleOf(code: Bytes, parts: Parts = {}): Uint8Array<ArrayBuffer> {
  return coreModule({
    types: [functionType([], [])],
    functions: [0],
    exports: [exported('run', 'function', 0)],
    code: [body([], code)],
    ...parts,
  });
}
