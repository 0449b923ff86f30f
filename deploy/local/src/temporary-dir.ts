import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface DataDir {
  readonly path: string;
  /** Set when the folder was made for one server's life. */
  readonly temporary: string | undefined;
  /** Removes it if it is temporary. */
  dispose(): Promise<void>;
}

/** The given folder, created if missing, or one of our own that ends with whoever uses it. */
export async function dataDir(given: string | undefined, purpose: string): Promise<DataDir> {
  if (given !== undefined) {
    await mkdir(given, { recursive: true });
    await chmod(given, 0o700); // this folder alone: another server's user may have to pass through its parents
    return { path: path.resolve(given), temporary: undefined, dispose: async () => undefined };
  }
  const own = await mkdtemp(path.join(tmpdir(), `alga-${purpose}-`));
  return { path: own, temporary: own, dispose: () => rm(own, { recursive: true, force: true, maxRetries: 5 }) };
}
