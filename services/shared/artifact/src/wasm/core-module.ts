import type { CodeFacts, Site } from './body.ts';
import type { SizeLimits } from './types.ts';

/** Ids of the sections of a core module. */
export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

/** What an import or export is. */
export const KIND = { function: 0, table: 1, memory: 2, global: 3 } as const;

export interface Section {
  readonly id: number;
  /** Of the content, as offsets into the binary. */
  readonly start: number;
  readonly end: number;
}

export interface FunctionType {
  /** Value types, as they are encoded. */
  readonly params: readonly number[];
  readonly results: readonly number[];
}

export interface CoreImport {
  readonly module: string;
  readonly name: string;
  readonly kind: number;
  /** Of a function: the index of its type. */
  readonly type: number;
}

export interface CoreExport {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

export interface Global {
  readonly type: number;
  readonly mutable: boolean;
}

export interface Table extends SizeLimits {
  readonly type: number;
}

export interface FunctionBody {
  readonly start: number;
  readonly end: number;
  /** First byte behind the declarations of locals. */
  readonly codeStart: number;
  readonly calls: boolean;
  /** Where the patch has something to do, in order. */
  readonly sites: readonly Site[];
}

/** A core module, read completely: everything but the types of operands on the stack, which V8 checks. */
export interface CoreModule {
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  /** `importsEnd` is where the last import ends, in the binary. */
  readonly imports: readonly CoreImport[];
  readonly exports: readonly CoreExport[];
  /** Of the functions that it defines: the indexes of their types. */
  readonly functions: readonly number[];
  readonly tables: readonly Table[];
  /** Memories that it defines. */
  readonly memories: readonly SizeLimits[];
  readonly globals: readonly Global[];
  readonly bodies: readonly FunctionBody[];
  readonly dataSegments: number;
  readonly hasStart: boolean;
  readonly facts: CodeFacts;
}

export function countImports(module: Pick<CoreModule, 'imports'>, kind: number): number {
  return module.imports.reduce((count, imported) => count + (imported.kind === kind ? 1 : 0), 0);
}
