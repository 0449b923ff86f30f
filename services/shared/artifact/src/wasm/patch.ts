// Rewrites a core module so that the runner can stop it, bound it and put it back to its beginning:
// - its memory is imported, under a capped maximum, so that the runner makes it with the install's own limit;
// - loops and calls check a word of a shared memory and trap where it is negative, and so do long bulk operations;
// - its mutable globals are exported, so that they can be saved and restored;
// - its tables have a maximum.
// Indexes of functions, globals, tables and types stay what they were: what is new comes last.
import { type CoreModule, countImports, KIND, SECTION, type Section } from './core-module.ts';
import { asciiName, u32, Writer } from './encode.ts';
import { LIMITS, MAX_MEMORY_PAGES } from './limits.ts';
import { needsChecks, patchCode } from './patch-code.ts';
import { CORE_PREAMBLE, ORDER, PATCH_NAMESPACE, RESERVED_EXPORTS } from './read-core-module.ts';
import { Reader } from './reader.ts';
import { isNumeric } from './types.ts';

/** In pages of 64 KiB. */
export interface MemoryPages {
  readonly minPages: number;
  readonly maxPages: number;
}

export interface PatchedModule {
  readonly bytes: Uint8Array;
  /** The memory that it defined and now imports. */
  readonly memory: MemoryPages | null;
  /** Why an instance of it cannot be put back to its beginning; undefined: it can. */
  readonly notReusable: string | undefined;
}

type Item = readonly number[];
const HAS_MAXIMUM = 0x01;
const SHARED_WITH_MAXIMUM = 0x03;

export function patchModule(module: CoreModule): PatchedModule {
  const memory = memoryOf(module);
  const interrupts = needsChecks(module);
  const code = interrupts ? patchCode(module, module.memories.length + countImports(module, KIND.memory)) : undefined;
  const out = new Writer(module.bytes.length + module.bytes.length / 8);
  out.bytes(CORE_PREAMBLE);
  for (const id of ORDER) {
    const content = contentOf(id);
    if (content === undefined) continue;
    out.bytes([id]);
    out.u32(content.length);
    out.bytes(content);
  }
  return { bytes: out.finish(), memory, notReusable: whyNotReusable(module) };

  /** Custom sections are left out: nobody reads them at run time. */
  function contentOf(id: number): Uint8Array | undefined {
    const present = module.sections.find((section) => section.id === id);
    switch (id) {
      case SECTION.type:
        return withItems(module, present, code?.type === undefined ? [] : [code.type]);
      case SECTION.import:
        return withItems(module, present, [
          ...(memory === null ? [] : [memoryImport('memory', [HAS_MAXIMUM, memory.minPages, memory.maxPages])]),
          ...(interrupts ? [memoryImport('interrupt', [SHARED_WITH_MAXIMUM, 1, 1])] : []),
        ]);
      case SECTION.function:
        return withItems(module, present, code?.functions ?? []);
      case SECTION.table:
        return tableSection(module);
      case SECTION.memory:
        return undefined;
      case SECTION.export:
        return withItems(module, present, globalExports(module));
      case SECTION.code:
        return code?.section ?? withItems(module, present, []);
      default:
        return withItems(module, present, []);
    }
  }
}

/** The content of a section, which is a count and as many items, with more items behind them. */
function withItems(
  { bytes }: CoreModule,
  present: Section | undefined,
  items: readonly Item[],
): Uint8Array | undefined {
  if (items.length === 0) return present === undefined ? undefined : bytes.subarray(present.start, present.end);
  const reader = new Reader(bytes, present?.start ?? 0, present?.end ?? 0);
  const count = present === undefined ? 0 : reader.u32();
  const content = new Writer(reader.end - reader.at);
  content.u32(count + items.length);
  content.bytes(bytes.subarray(reader.at, reader.end));
  for (const item of items) content.bytes(item);
  return content.view();
}

function memoryImport(name: string, limits: readonly number[]): Item {
  return [...asciiName(PATCH_NAMESPACE), ...asciiName(name), KIND.memory, ...limits.flatMap(u32)];
}

function memoryOf({ memories: [memory] }: CoreModule): MemoryPages | null {
  if (memory === undefined) return null;
  return { minPages: memory.min, maxPages: Math.min(memory.max ?? MAX_MEMORY_PAGES, MAX_MEMORY_PAGES) };
}

function tableSection({ tables }: CoreModule): Uint8Array | undefined {
  if (tables.length === 0) return undefined;
  const content = new Writer(16 * tables.length);
  content.u32(tables.length);
  for (const { type, min, max = LIMITS.tableElements } of tables) {
    content.bytes([type, HAS_MAXIMUM]);
    content.u32(min);
    content.u32(Math.min(max, LIMITS.tableElements));
  }
  return content.view();
}

function globalExports(module: CoreModule): Item[] {
  const first = countImports(module, KIND.global);
  return module.globals.flatMap(({ mutable }, index) =>
    mutable ? [[...asciiName(`${RESERVED_EXPORTS}g${first + index}`), KIND.global, ...u32(first + index)]] : [],
  );
}

function whyNotReusable({ facts, globals }: CoreModule): string | undefined {
  const [mutation] = facts.mutations;
  if (mutation !== undefined) return `its code contains ${mutation}, whose effect cannot be undone`;
  if (globals.some(({ mutable, type }) => mutable && !isNumeric(type))) {
    return 'it has a mutable global that is a vector or a reference, which cannot be read from outside';
  }
  return undefined;
}
