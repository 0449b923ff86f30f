import { type CodeFacts, readBody, type Site } from './body.ts';
import {
  type CoreExport,
  type CoreImport,
  type CoreModule,
  countImports,
  type FunctionBody,
  type FunctionType,
  type Global,
  KIND,
  SECTION,
  type Section,
  type Table,
} from './core-module.ts';
import { LIMITS } from './limits.ts';
import type { Reader } from './reader.ts';
import { atMost, malformed, unsupported } from './refused.ts';
import { readData, readElements, readExpression } from './segments.ts';
import { readReferenceType, readSizeLimits, readValueType, type SizeLimits } from './types.ts';

/** Module name of what the patch has a module import. */
export const PATCH_NAMESPACE = 'alga:rt';
/** How the names of what the patch exports begin. */
export const RESERVED_EXPORTS = 'alga:';

/** `\0asm`, version 1, layer 0. */
export const CORE_PREAMBLE: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Sections come in this order, each at most once: the data count stands before the code. */
export const ORDER: readonly number[] = [
  SECTION.type,
  SECTION.import,
  SECTION.function,
  SECTION.table,
  SECTION.memory,
  SECTION.global,
  SECTION.export,
  SECTION.start,
  SECTION.element,
  SECTION.dataCount,
  SECTION.code,
  SECTION.data,
];
const TAG_SECTION = 13;
const FUNCTION_FORM = 0x60;
/** Printable ASCII without quotes and backslashes; mangled names of C++ have hundreds of characters. */
const PLAIN_NAME = /^[ !#-&(-[\]-_a-~]{0,1024}$/;
const GC_FORMS: readonly number[] = [0x4d, 0x4e, 0x4f, 0x50, 0x5e, 0x5f];

class Draft implements CoreModule {
  readonly bytes: Uint8Array;
  readonly sections: Section[] = [];
  readonly types: FunctionType[] = [];
  readonly imports: CoreImport[] = [];
  readonly exports: CoreExport[] = [];
  readonly functions: number[] = [];
  readonly tables: Table[] = [];
  readonly memories: SizeLimits[] = [];
  readonly globals: Global[] = [];
  readonly bodies: FunctionBody[] = [];
  dataSegments = 0;
  dataCount: number | undefined;
  hasStart = false;
  customBytes = 0;
  readonly facts: CodeFacts = { totalLocals: 0, sites: 0, mutations: new Set() };
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/**
 * Reads a core module from its preamble to the reader's end.
 * @throws WasmRefused where it is broken, beyond a limit, or uses what guests do not get.
 */
export function readCoreModule(reader: Reader): CoreModule {
  if (CORE_PREAMBLE.some((byte) => reader.u8() !== byte)) malformed('not a core module of version 1');
  const draft = new Draft(reader.bytes);
  let last = -1;
  while (!reader.done) {
    const { at } = reader;
    const id = reader.u8();
    const section = reader.sub(reader.u32());
    if (id === SECTION.custom) {
      // Headers and names included: millions of empty ones are not nothing.
      draft.customBytes += section.end - at;
      section.name();
      atMost(draft.customBytes, LIMITS.customBytes, 'bytes of custom sections');
      continue;
    }
    draft.sections.push({ id, start: section.at, end: section.end });
    if (id === TAG_SECTION) unsupported('exception handling (a tag section)');
    const place = ORDER.indexOf(id);
    if (place === -1) malformed(`a section with the unknown id ${id}`);
    if (place <= last) malformed(`the ${nameOf(id)} section is doubled or out of order`);
    last = place;
    readSection(id, section, draft);
    section.finish(`the ${nameOf(id)} section`);
  }
  if (draft.bodies.length !== draft.functions.length) malformed('functions without a body');
  if (draft.memories.length + countImports(draft, KIND.memory) > 1) unsupported('a second memory (multi-memory)');
  if (draft.dataCount !== undefined && draft.dataCount !== draft.dataSegments)
    malformed('a data count that is not true');
  return draft;
}

function nameOf(id: number): string {
  return Object.entries(SECTION).find(([, each]) => each === id)?.[0] ?? 'unknown';
}

function readSection(id: number, reader: Reader, draft: Draft): void {
  switch (id) {
    case SECTION.type:
      forEach(reader, LIMITS.types, 'types', () => draft.types.push(readFunctionType(reader)));
      break;
    case SECTION.import:
      forEach(reader, LIMITS.imports, 'imports', () => draft.imports.push(readImport(reader)));
      break;
    case SECTION.function:
      forEach(reader, LIMITS.functions, 'functions', () => draft.functions.push(readTypeIndex(reader, draft)));
      break;
    case SECTION.table:
      forEach(reader, LIMITS.tables, 'tables', () => draft.tables.push(readTable(reader)));
      break;
    case SECTION.memory:
      forEach(reader, 1, 'memories', () => draft.memories.push(readMemory(reader)));
      break;
    case SECTION.global:
      forEach(reader, LIMITS.globals, 'globals', () => {
        draft.globals.push(readGlobalType(reader));
        readExpression(reader);
      });
      break;
    case SECTION.export:
      forEach(reader, LIMITS.exports, 'exports', () => draft.exports.push(readExport(reader)));
      break;
    case SECTION.start:
      reader.u32();
      draft.hasStart = true;
      break;
    case SECTION.element:
      readElements(reader);
      break;
    case SECTION.dataCount:
      draft.dataCount = reader.u32();
      break;
    case SECTION.code:
      readCode(reader, draft);
      break;
    case SECTION.data:
      draft.dataSegments = readData(reader);
  }
}

function forEach(reader: Reader, limit: number, what: string, read: () => unknown): void {
  const count = reader.u32();
  atMost(count, limit, what);
  for (let index = 0; index < count; index++) read();
}

function readFunctionType(reader: Reader): FunctionType {
  const form = reader.u8();
  if (GC_FORMS.includes(form)) unsupported('garbage collection (a type that is not a function)');
  if (form !== FUNCTION_FORM) malformed(`a type of the unknown form 0x${form.toString(16)}`);
  const params: number[] = [];
  const results: number[] = [];
  forEach(reader, LIMITS.params, 'params of a function', () => params.push(readValueType(reader)));
  forEach(reader, LIMITS.results, 'results of a function', () => results.push(readValueType(reader)));
  return { params, results };
}

function readTypeIndex(reader: Reader, { types }: Draft): number {
  const index = reader.u32();
  if (index >= types.length) malformed('a function of a type that does not exist');
  return index;
}

/** Names end up in generated JavaScript: nothing that could end a string there. Compilers make no such names. */
function readPlainName(reader: Reader): string {
  const name = reader.name();
  if (!PLAIN_NAME.test(name)) unsupported('an import or export whose name has quotes or is not plain text');
  return name;
}

function readImport(reader: Reader): CoreImport {
  const module = readPlainName(reader);
  if (module === PATCH_NAMESPACE) unsupported(`an import of ${PATCH_NAMESPACE}, which is the platform's own`);
  const name = readPlainName(reader);
  const kind = reader.u8();
  let type = 0;
  switch (kind) {
    case KIND.function:
      type = reader.u32();
      break;
    case KIND.table:
      readTable(reader);
      break;
    case KIND.memory:
      readMemory(reader);
      break;
    case KIND.global:
      readGlobalType(reader);
      break;
    case 4:
      unsupported('exception handling (an imported tag)');
      break;
    default:
      malformed(`an import of the unknown kind ${kind}`);
  }
  return { module, name, kind, type };
}

function readTable(reader: Reader): Table {
  if (reader.bytes[reader.at] === 0x40) unsupported('typed function references (a table with an initial value)');
  const type = readReferenceType(reader);
  const limits = readSizeLimits(reader, 'table');
  atMost(limits.min, LIMITS.tableElements, 'elements of a table');
  return { type, ...limits };
}

function readMemory(reader: Reader): SizeLimits {
  const limits = readSizeLimits(reader, 'memory');
  atMost(limits.min, LIMITS.memoryPages, 'pages of a memory at the start');
  return limits;
}

function readGlobalType(reader: Reader): Global {
  const type = readValueType(reader);
  const mutable = reader.u8();
  if (mutable > 1) malformed(`the flags of a global at byte ${reader.at}`);
  return { type, mutable: mutable === 1 };
}

function readExport(reader: Reader): CoreExport {
  const name = readPlainName(reader);
  if (name.startsWith(RESERVED_EXPORTS)) unsupported(`an export whose name begins with ${RESERVED_EXPORTS}`);
  const kind = reader.u8();
  if (kind > KIND.global) malformed(`an export of the unknown kind ${kind}`);
  return { name, kind, index: reader.u32() };
}

function readCode(reader: Reader, draft: Draft): void {
  const { functions, types, bodies, facts } = draft;
  if (reader.u32() !== functions.length) malformed('as many function bodies as functions are announced');
  for (const type of functions) {
    const size = reader.u32();
    atMost(size, LIMITS.bodyBytes, 'bytes of a function body');
    const body = reader.sub(size);
    const { at: start, end } = body;
    const sites: Site[] = [];
    const { codeStart, calls } = readBody(body, types[type]?.params.length ?? 0, facts, sites);
    facts.sites += sites.length;
    atMost(facts.sites, LIMITS.sites, 'loops and bulk operations of all functions of a module');
    bodies.push({ start, end, codeStart, calls, sites: sites.length === 0 ? NO_SITES : sites });
  }
}

const NO_SITES: readonly Site[] = [];
