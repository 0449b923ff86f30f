// Core modules of the raw ABI from before components (manifest runtime `legacy`). legacy-glue.js describes the ABI and is
// what the runner drives one with; here is judged whether a module keeps to it.
import { readFileSync } from 'node:fs';
import type { ImportedFunction, TranspileFailure, TranspileRefusal, WitPackage } from './transpile-protocol.ts';
import { type CoreModule, type FunctionType, KIND } from './wasm/core-module.ts';
import { I32 } from './wasm/types.ts';

type CheckedLegacy =
  | {
      readonly ok: true;
      /** Names of the interfaces that a component which does the same would import. */
      readonly imports: string[];
      /** What it imports, by the names that the WIT has for it. */
      readonly functions: ImportedFunction[];
    }
  | TranspileRefusal;

/** All params and results are i32. */
interface Signature {
  readonly params: number;
  readonly results: number;
}

interface Import extends Signature {
  /** Undefined: it does not reach the platform. */
  readonly host: ImportedFunction | undefined;
}

const IMPORTS: ReadonlyMap<string, Import> = new Map([
  ['alga log_info', { params: 2, results: 0, host: { interface: 'logging', function: 'log-info' } }],
  ['alga log_error', { params: 2, results: 0, host: { interface: 'logging', function: 'log-error' } }],
  ['alga.http fetch', { params: 3, results: 1, host: { interface: 'http', function: 'fetch' } }],
  // Every AssemblyScript module has it.
  ['env abort', { params: 4, results: 0, host: undefined }],
]);

const EXPORTS = [
  { name: 'handler', params: 3, results: 1, missing: 'no_handler' },
  { name: 'alloc', params: 1, results: 1, missing: 'component_invalid' },
] as const;
const MEMORY = 'memory';

/** What may be shown of a name that a stranger chose. */
const PLAIN = /^[\w.:/@$~-]{1,64}$/;

/** Whether a core module imports nothing but the ABI, and exports all of it, each with its exact signature. */
export function checkLegacy(module: CoreModule, wit: WitPackage): CheckedLegacy {
  const functions: ImportedFunction[] = [];
  for (const { module: from, name, kind, type } of module.imports) {
    const known = IMPORTS.get(`${from} ${name}`);
    if (known === undefined) {
      return refuse('import_refused', `imports ${shown(from)} ${shown(name)}, which the legacy ABI does not have`);
    }
    if (kind !== KIND.function || !isSignature(module.types[type], known)) {
      return refuse('import_refused', `imports ${from} ${name} other than as ${signature(known)}`);
    }
    if (known.host !== undefined) functions.push(known.host);
  }
  for (const wanted of EXPORTS) {
    const found = module.exports.find(({ name }) => name === wanted.name);
    if (found === undefined) return refuse(wanted.missing, `does not export ${wanted.name}`);
    if (found.kind !== KIND.function || !isSignature(typeOf(module, found.index), wanted)) {
      return refuse(wanted.missing, `exports ${wanted.name} other than as ${signature(wanted)}`);
    }
  }
  const memory = module.exports.find(({ name }) => name === MEMORY);
  if (memory?.kind !== KIND.memory || module.memories.length === 0) {
    return refuse('component_invalid', `does not export a ${MEMORY} of its own`);
  }
  const interfaces = new Set(functions.map((each) => `${wit.name}/${each.interface}`));
  return { ok: true, imports: [...interfaces].sort(), functions };
}

/** The glue module of every legacy artifact. */
export function legacyGlue(): Uint8Array {
  return new Uint8Array(readFileSync(new URL('./legacy-glue.js', import.meta.url)));
}

function isSignature(type: FunctionType | undefined, { params, results }: Signature): boolean {
  return (
    type !== undefined &&
    type.params.length === params &&
    type.results.length === results &&
    [...type.params, ...type.results].every((each) => each === I32)
  );
}

/** The type of a function by its index, in which imported functions come first. */
function typeOf({ imports, functions, types }: CoreModule, index: number): FunctionType | undefined {
  const imported = imports.filter(({ kind }) => kind === KIND.function);
  const type = index < imported.length ? imported[index]?.type : functions[index - imported.length];
  return type === undefined ? undefined : types[type];
}

function signature({ params, results }: Signature): string {
  const list = (count: number) => Array.from({ length: count }, () => 'i32').join(', ');
  return `(${list(params)}) -> ${results === 0 ? 'nothing' : list(results)}`;
}

const shown = (name: string): string => (PLAIN.test(name) ? name : 'something with an unusual name');

function refuse(code: TranspileFailure, reason: string): TranspileRefusal {
  return { ok: false, code, message: `the core module ${reason}` };
}
