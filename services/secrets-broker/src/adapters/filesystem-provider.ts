import { createHash } from 'node:crypto';
import { constants, type FileHandle, lstat, open, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseReference } from '../core/reference.ts';
import { MAX_SECRET_BYTES, type Reading, SourceTrouble, secretFromFile } from '../core/secret-reading.ts';
import type { SecretProvider } from '../ports/secret-provider.ts';

const SOURCE = 'file';
/** A symlink is not followed, a FIFO does not block. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Kubernetes puts a new folder in place of the old one: between our two steps, at worst, again and again. */
const ATTEMPTS = 3;
/** How Kubernetes names the folders of one update. */
const DATA_LINK = '..data';
const DATA_FOLDER = /^\.\.[0-9A-Za-z_.-]{1,128}$/;

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** Docker secrets, or a Kubernetes secret volume: one file per secret in one folder. */
export class FilesystemProvider implements SecretProvider {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async read(reference: string, signal: AbortSignal): Promise<Reading> {
    const parsed = parseReference(reference);
    if (parsed?.kind !== 'file') throw new SourceTrouble(SOURCE, 'the reference is not one of a file');
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      if (signal.aborted) throw new SourceTrouble(SOURCE, 'no time left');
      const file = await this.#open(parsed.name);
      if (file === 'absent') return { outcome: 'not_found' };
      if (file === 'moved') continue;
      try {
        return await readWhole(file);
      } finally {
        await file.close();
      }
    }
    throw new SourceTrouble(SOURCE, 'the link leads nowhere');
  }

  locate(chainName: string): string | undefined {
    return `file:${chainName}`;
  }

  async #open(name: string): Promise<FileHandle | 'absent' | 'moved'> {
    const direct = path.join(this.#dir, name);
    try {
      return await open(direct, FLAGS);
    } catch (error) {
      if (codeOf(error) === 'ELOOP') return this.#openPublished(direct, name);
      if (codeOf(error) !== 'ENOENT') throw new SourceTrouble(SOURCE, `${name} cannot be opened (${codeOf(error)})`);
    }
    // No such file only if there is a folder that could hold it: a volume that went away is trouble, not absence.
    const folder = await stat(this.#dir).catch((error: unknown) => codeOf(error));
    if (typeof folder === 'string') throw new SourceTrouble(SOURCE, `the folder cannot be read (${folder})`);
    return 'absent';
  }

  /** The one symlink that is followed: `<name>` -> `..data/<name>`, `..data` -> a folder beside it. */
  async #openPublished(direct: string, name: string): Promise<FileHandle | 'moved'> {
    try {
      const link = await readlink(direct);
      const folder = link === `${DATA_LINK}/${name}` ? await readlink(path.join(this.#dir, DATA_LINK)) : '';
      if (!DATA_FOLDER.test(folder)) throw new SourceTrouble(SOURCE, `${name} is a symbolic link to elsewhere`);
      const published = path.join(this.#dir, folder);
      if (!(await lstat(published)).isDirectory()) throw new SourceTrouble(SOURCE, `${folder} is not a folder`);
      return await open(path.join(published, name), FLAGS);
    } catch (error) {
      if (error instanceof SourceTrouble) throw error;
      if (codeOf(error) === 'ENOENT') return 'moved';
      throw new SourceTrouble(SOURCE, `${name} cannot be opened (${codeOf(error)})`);
    }
  }
}

async function readWhole(file: FileHandle): Promise<Reading> {
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new SourceTrouble(SOURCE, 'it is not a regular file');
    // One byte more than allowed, so that a file which grows meanwhile is seen to be too large.
    const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    const value = secretFromFile(SOURCE, buffer.subarray(0, length));
    const version = createHash('sha256').update(`${info.mtimeMs}\n`).update(value.reveal()).digest('base64url');
    return { outcome: 'found', value, version };
  } catch (error) {
    if (error instanceof SourceTrouble) throw error;
    throw new SourceTrouble(SOURCE, `it cannot be read (${codeOf(error)})`);
  }
}
