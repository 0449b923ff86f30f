import { isPlainName, MAX_FILES, MAX_TOTAL_BYTES } from './plain-name.ts';
import { type ArtifactTraits, hasExactly, parseTraits } from './traits.ts';

/** One file of an artifact, as the signature covers it. `size` in bytes, `sha256` in lower-case hex. */
interface ArtifactFile {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
}

/** What the registry signs: everything a runner must be able to check before it evaluates a byte (I9). */
export interface ArtifactDescriptor extends ArtifactTraits {
  /** `sha256:<hex>` of the component that the files were made from. */
  readonly contentHash: string;
  /** Name of the glue module among `files`. */
  readonly entry: string;
  readonly files: readonly ArtifactFile[];
  /** The component's imports as its world spells them, versions included. */
  readonly imports: readonly string[];
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

type ParsedDescriptor =
  | { readonly ok: true; readonly descriptor: ArtifactDescriptor }
  | { readonly ok: false; readonly reason: string };

const CONTENT_HASH = /^sha256:[0-9a-f]{64}$/;
const SHA256_HEX = /^[0-9a-f]{64}$/;
const IMPORT_NAME = /^[a-z0-9][a-z0-9:/@.+-]{0,127}$/;
const CREATED_AT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/;
const MAX_IMPORTS = 64;
const MEMBERS = [
  'contentHash',
  'createdAt',
  'engine',
  'entry',
  'files',
  'imports',
  'modules',
  'pool',
  'runtime',
  'sourceMap',
] as const satisfies (keyof ArtifactDescriptor)[];

/** Strict: known members only, all of them, each of its exact shape. `value` is parsed JSON. */
export function parseDescriptor(value: unknown): ParsedDescriptor {
  if (!hasExactly(value, MEMBERS)) {
    return refuse('the descriptor has missing or unknown members');
  }
  const { contentHash, createdAt, engine, entry, files, imports, modules, pool, runtime, sourceMap } = value;
  if (!matches(contentHash, CONTENT_HASH)) return refuse('contentHash is not sha256:<hex>');
  if (!matches(createdAt, CREATED_AT)) return refuse('createdAt is not an RFC 3339 time in UTC');
  if (!Array.isArray(imports) || imports.length > MAX_IMPORTS || !imports.every((name) => matches(name, IMPORT_NAME))) {
    return refuse('imports is not a list of interface names');
  }
  if (!Array.isArray(files) || files.length === 0 || files.length > MAX_FILES) {
    return refuse(`files does not have 1 to ${MAX_FILES} members`);
  }
  const names = new Set<string>();
  const parsed: ArtifactFile[] = [];
  let total = 0;
  for (const file of files as unknown[]) {
    if (!hasExactly(file, ['name', 'sha256', 'size'])) return refuse('a file has missing or unknown members');
    const { name, sha256, size } = file;
    if (typeof name !== 'string' || !isPlainName(name)) return refuse('a file name is not plain');
    if (!matches(sha256, SHA256_HEX)) return refuse('a file hash is not hex SHA-256');
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      return refuse('a file size is not a count');
    total += size;
    names.add(name);
    parsed.push({ name, sha256, size });
  }
  if (names.size !== files.length) return refuse('a file name is doubled');
  if (total > MAX_TOTAL_BYTES) return refuse(`more than ${MAX_TOTAL_BYTES} bytes`);
  if (typeof entry !== 'string' || !names.has(entry)) return refuse('entry names none of the files');
  const described = parseTraits({ runtime, engine, modules, pool, sourceMap }, names);
  if (!described.ok) return described;
  return {
    ok: true,
    descriptor: {
      contentHash,
      createdAt,
      entry,
      files: parsed,
      imports: imports as string[],
      ...described.traits,
    },
  };
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value);
}

function refuse(reason: string): ParsedDescriptor {
  return { ok: false, reason };
}
