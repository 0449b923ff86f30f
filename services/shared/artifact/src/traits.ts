import { MAX_MEMORY_PAGES } from './wasm/limits.ts';

/** `legacy`: a core module of the old raw ABI. */
export type Runtime = 'component' | 'legacy';

/** What runs inside, as the code shows it. */
export type Engine = 'starlingmonkey' | 'quickjs' | 'native' | 'legacy';

/** A core module of an artifact, patched. */
export interface ArtifactModule {
  /** Its file. */
  readonly name: string;
  /** The linear memory that it would define and has the host make, in pages of 64 KiB. */
  readonly memory: { readonly minPages: number; readonly maxPages: number } | null;
}

/** Whether an instance may be reset after a call and used again; `reason`: one sentence. */
export type Pool = { readonly reusable: true } | { readonly reusable: false; readonly reason: string };

/** What the registry says about the files. */
export interface ArtifactTraits {
  readonly runtime: Runtime;
  readonly engine: Engine;
  /** One per `.wasm` file, in the order of their names. */
  readonly modules: readonly ArtifactModule[];
  readonly pool: Pool;
  /** Name among the files of the source map of the script inside; null: the bundle has none. */
  readonly sourceMap: string | null;
}

type ParsedTraits =
  | { readonly ok: true; readonly traits: ArtifactTraits }
  | { readonly ok: false; readonly reason: string };

const MAX_REASON_CHARS = 400;
const RUNTIMES: readonly unknown[] = ['component', 'legacy'] satisfies Runtime[];
const ENGINES: readonly unknown[] = ['starlingmonkey', 'quickjs', 'native', 'legacy'] satisfies Engine[];

/** @param names of the artifact's files. */
export function parseTraits(
  { runtime, engine, modules, pool, sourceMap }: Readonly<Record<keyof ArtifactTraits, unknown>>,
  names: ReadonlySet<string>,
): ParsedTraits {
  if (!RUNTIMES.includes(runtime)) return refuse('runtime is none of the known ones');
  if (!ENGINES.includes(engine)) return refuse('engine is none of the known ones');
  if (!isModules(modules, names)) return refuse('modules does not list the .wasm files');
  if (!isPool(pool)) return refuse('pool is not of the known form');
  if (sourceMap !== null && (typeof sourceMap !== 'string' || !names.has(sourceMap))) {
    return refuse('sourceMap names none of the files');
  }
  return { ok: true, traits: { runtime: runtime as Runtime, engine: engine as Engine, modules, pool, sourceMap } };
}

function isModules(value: unknown, names: ReadonlySet<string>): value is ArtifactModule[] {
  if (!Array.isArray(value)) return false;
  const wasm = [...names].filter((name) => name.endsWith('.wasm')).sort();
  return (
    value.every((item) => hasExactly(item, ['memory', 'name']) && isMemory(item.memory)) &&
    value.map(({ name }) => String(name)).join() === wasm.join()
  );
}

function isMemory(value: unknown): boolean {
  if (value === null) return true;
  if (!hasExactly(value, ['maxPages', 'minPages'])) return false;
  const { minPages, maxPages } = value;
  return isPages(minPages) && isPages(maxPages) && minPages <= maxPages;
}

function isPages(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_MEMORY_PAGES;
}

function isPool(value: unknown): value is Pool {
  if (hasExactly(value, ['reusable']) && value.reusable === true) return true;
  if (!hasExactly(value, ['reason', 'reusable']) || value.reusable !== false) return false;
  return typeof value.reason === 'string' && value.reason.length <= MAX_REASON_CHARS;
}

/** Whether a value is an object with these members and no others. */
export function hasExactly<K extends string>(value: unknown, members: readonly K[]): value is Record<K, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const own = Object.keys(value);
  return own.length === members.length && members.every((member) => Object.hasOwn(value, member));
}

function refuse(reason: string): ParsedTraits {
  return { ok: false, reason };
}
