import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Creates the folder if missing and closes it to everybody else. */
export async function ensurePrivateDir(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  await chmod(dir, 0o700);
}

/** Writes a file that only we can read, whole or not at all, over an older one. */
export async function writePrivateFile(file: string, content: string): Promise<void> {
  const part = await writePart(file, content);
  await rename(part, file);
}

/** The content of the file, made and written first when there is none. Of several processes that ask together all get the same. */
export async function ensurePrivateFile(file: string, make: () => Promise<string> | string): Promise<string> {
  const existing = await readIfThere(file);
  if (existing !== undefined) {
    await chmod(file, 0o600);
    return existing;
  }
  const made = await make();
  const part = await writePart(file, made);
  try {
    await link(part, file);
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readFile(file, 'utf8'); // somebody else was faster
  } finally {
    await unlink(part);
  }
}

async function writePart(file: string, content: string): Promise<string> {
  const part = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}`);
  await writeFile(part, content, { mode: 0o600, flag: 'wx' });
  return part;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}
