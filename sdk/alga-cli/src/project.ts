import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseManifest, type ResolvedManifest } from '@alga/contracts';
import { done, type Outcome, refused } from './outcome.ts';

/** An extension's folder. */
export interface Project {
  readonly dir: string;
  readonly manifest: ResolvedManifest;
  /** manifest.json as it stands on disk. */
  readonly manifestBytes: Uint8Array;
  /** Where `build` and `bundle` write. */
  readonly distDir: string;
}

/** The extension's source, relative to its folder. */
export const ENTRY = 'src/index.ts';

/** Reads and checks manifest.json. */
export async function readProject(dir: string): Promise<Outcome<Project>> {
  const root = resolve(dir);
  const bytes = await readIfThere(join(root, 'manifest.json'));
  if (bytes === undefined) {
    return refused({
      code: 'manifest_not_found',
      message: `There is no manifest.json in ${root}.`,
      fix: 'Name the folder of an extension, or write its manifest.json.',
    });
  }
  const text = new TextDecoder().decode(bytes);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refused({
      code: 'manifest_invalid',
      message: 'manifest.json is not JSON.',
      fix: 'Correct the syntax at this place.',
      file: 'manifest.json',
      ...syntaxErrorPlace(text, error),
    });
  }
  const parsed = parseManifest(json);
  if (!parsed.ok) {
    const line = lineOfField(text, parsed.errors[0]?.field);
    return refused({
      code: parsed.code,
      message: 'manifest.json does not describe an extension.',
      fix: 'Correct the named fields.',
      file: 'manifest.json',
      ...(line !== undefined && { line }),
      errors: parsed.errors,
    });
  }
  return done({ dir: root, manifest: parsed.manifest, manifestBytes: bytes, distDir: join(root, 'dist') });
}

/** A file's bytes, or undefined where there is none. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

// V8 gives the position in prose only, and none at all where the text just ends.
function syntaxErrorPlace(text: string, error: unknown): { line: number; column: number } {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

/**
 * The line on which the last name of a JSON pointer first appears as a key; good enough to jump to. A pointer that ends
 * in an index leads to the array.
 */
function lineOfField(text: string, pointer: string | undefined): number | undefined {
  const name = pointer
    ?.split('/')
    .filter((part) => part !== '' && !/^\d+$/.test(part))
    .at(-1);
  if (name === undefined) return undefined;
  const index = text.split('\n').findIndex((line) => line.includes(`${JSON.stringify(name)}:`));
  return index === -1 ? undefined : index + 1;
}
