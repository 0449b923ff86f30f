import type { Site } from './body.ts';
import { HELPER_PARAMS, type Helper, helperBody } from './bulk-helpers.ts';
import { type CoreModule, countImports, type FunctionBody, KIND } from './core-module.ts';
import { u32, Writer } from './encode.ts';

/** Code of a function without calls that may run unchecked: its callers can have half a million calls of it in a row. */
const UNCHECKED_BODY_BYTES = 256;

const VOID = 0x40;
const FUNCTION_FORM = 0x60;
const CALL = 0x10;
/** Of the body's size, in bytes. */
const MAX_SIZE_BYTES = 5;

/** What the code section of a patched module comes to. */
export interface PatchedCode {
  /** Content of the section. */
  readonly section: Uint8Array;
  /** The type of the helpers, where the module has none like it. */
  readonly type: readonly number[] | undefined;
  /** Indexes of the types of the functions that were added. */
  readonly functions: readonly (readonly number[])[];
}

/** Whether any code of the module has a check. */
export function needsChecks(module: CoreModule): boolean {
  return module.bodies.some((body) => body.sites.length > 0 || hasEntryCheck(body));
}

/** Adds the interruption checks. @param interruptMemory index of the memory whose first word they read. */
export function patchCode(module: CoreModule, interruptMemory: number): PatchedCode {
  const { bytes, bodies } = module;
  const check = checkOf(interruptMemory);
  const helpers = new Helpers(module);
  const out = new Writer(bytes.length + bytes.length / 8);
  for (const body of bodies) {
    const { start, end, codeStart, sites } = body;
    const edits = sites.map((site) => editOf(site, check, helpers));
    if (hasEntryCheck(body)) edits.unshift({ start: codeStart, end: codeStart, bytes: check });
    out.u32(edits.reduce((size, edit) => size + edit.bytes.length - (edit.end - edit.start), end - start));
    let at = start;
    for (const edit of edits) {
      out.bytes(bytes.subarray(at, edit.start));
      out.bytes(edit.bytes);
      at = edit.end;
    }
    out.bytes(bytes.subarray(at, end));
  }
  for (const helper of helpers.used) {
    const body = helperBody(helper, check);
    out.u32(body.length);
    out.bytes(body);
  }
  const section = new Writer(out.length + MAX_SIZE_BYTES);
  section.u32(bodies.length + helpers.used.length);
  section.bytes(out.view());
  return {
    section: section.view(),
    type: helpers.newType,
    functions: helpers.used.map(() => u32(helpers.typeIndex)),
  };
}

function hasEntryCheck({ calls, codeStart, end }: FunctionBody): boolean {
  return calls || end - codeStart > UNCHECKED_BODY_BYTES;
}

/** Traps where the word at address 0 of the memory is negative. */
function checkOf(memory: number): readonly number[] {
  const memoryArgument = memory === 0 ? [0x02, 0x00] : [0x42, memory, 0x00];
  // i32.const 0, i32.load, i32.const 0, i32.lt_s, if, unreachable, end
  return [0x41, 0x00, 0x28, ...memoryArgument, 0x41, 0x00, 0x48, 0x04, VOID, 0x00, 0x0b];
}

interface Edit {
  /** What `bytes` stand for, as offsets into the module. */
  readonly start: number;
  readonly end: number;
  readonly bytes: readonly number[];
}

function editOf({ kind, start, end, segment }: Site, check: readonly number[], helpers: Helpers): Edit {
  switch (kind) {
    case 'loop':
      return { start: end, end, bytes: check };
    case 'slow':
      return { start, end: start, bytes: check };
    case 'memory.init':
      return { start, end, bytes: [CALL, ...u32(helpers.indexOf({ kind, segment }))] };
    default:
      return { start, end, bytes: [CALL, ...u32(helpers.indexOf({ kind }))] };
  }
}

/** The functions that stand for bulk operations, behind all functions of the module. */
class Helpers {
  readonly used: Helper[] = [];
  readonly typeIndex: number;
  readonly newType: readonly number[] | undefined;
  readonly #indexes = new Map<string, number>();
  readonly #first: number;

  constructor(module: CoreModule) {
    this.#first = countImports(module, KIND.function) + module.functions.length;
    const found = module.types.findIndex(
      ({ params, results }) => results.length === 0 && params.join() === HELPER_PARAMS.join(),
    );
    const isUsed = module.bodies.some(({ sites }) => sites.some(({ kind }) => kind.startsWith('memory.')));
    this.typeIndex = found === -1 ? module.types.length : found;
    this.newType = found === -1 && isUsed ? [FUNCTION_FORM, HELPER_PARAMS.length, ...HELPER_PARAMS, 0x00] : undefined;
  }

  indexOf(helper: Helper): number {
    const key = helper.kind === 'memory.init' ? `${helper.kind} ${helper.segment}` : helper.kind;
    let index = this.#indexes.get(key);
    if (index === undefined) {
      index = this.#first + this.used.length;
      this.used.push(helper);
      this.#indexes.set(key, index);
    }
    return index;
  }
}
