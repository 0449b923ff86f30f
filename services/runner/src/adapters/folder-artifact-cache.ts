import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** An artifact as it comes over the network: to be verified on each use (I9). */
export interface PackedArtifact {
  /** Compact JWS over the files. */
  readonly signature: string;
  /** As `packFiles` makes it. */
  readonly blob: Uint8Array;
}

interface FolderArtifactCacheOptions {
  /** Made where it is missing, for this user only. Runners may share it; nobody else should write to it. */
  readonly folder: string;
  /** Most that the files come to together. */
  readonly maxBytes: number;
  readonly nowMs: () => number;
  /** Told of the first fault of the disk; the cache works on as far as it can. */
  readonly onFault: (error: Error) => void;
}

/** Names the format and its version. */
const MAGIC = Buffer.from('ALGACACHE1', 'latin1');
const HEADER_BYTES = MAGIC.length + 4;
const CONTENT_HASH = /^sha256:([0-9a-f]{64})$/;
const ARTIFACT_FILE = /^[0-9a-f]{64}\.artifact$/;
const UNFINISHED_FILE = /^[0-9a-f]{64}\.[0-9a-f-]{36}\.unfinished$/;
/** The largest artifact is written in seconds; what is older was left by a runner that died. */
const UNFINISHED_MS = 10 * 60_000;

interface CachedFile {
  readonly path: string;
  /** Not finished: it is being written, and nobody's to remove. */
  readonly isFinished: boolean;
  readonly bytes: number;
  /** Time of the last use, which the file carries as that of its last change: runners that share the folder agree on it. */
  readonly usedMs: number;
}

/**
 * Artifacts on disk by content hash, so that a runner that restarts asks nobody for them. Bounded; the least recently
 * used goes first. It believes nobody and is believed by nobody: what it gives out has to be verified like a download.
 * No method rejects: without a disk there is nothing in the cache.
 */
export class FolderArtifactCache {
  readonly #options: FolderArtifactCacheOptions;
  #faultTold = false;

  constructor(options: FolderArtifactCacheOptions) {
    this.#options = options;
  }

  /** Undefined: it is not there. A file that is not one of ours is removed. */
  async get(contentHash: string): Promise<PackedArtifact | undefined> {
    const path = this.#pathOf(contentHash);
    if (path === undefined) return undefined;
    try {
      const bytes = await readRegularFile(path, this.#options.maxBytes);
      const artifact = bytes === undefined ? undefined : parse(bytes);
      if (artifact === undefined) await rm(path, { recursive: true, force: true });
      else await this.#touch(path);
      return artifact;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      this.#fault(error);
      await this.remove(contentHash);
      return undefined;
    }
  }

  /** Keeps an artifact that has been verified, as far as there is room for it. */
  async put(contentHash: string, { signature, blob }: PackedArtifact): Promise<void> {
    const { folder, maxBytes } = this.#options;
    const path = this.#pathOf(contentHash);
    const head = header(signature);
    const bytes = head.byteLength + blob.byteLength;
    if (path === undefined || bytes > maxBytes) return;
    const unfinished = path.replace(/artifact$/, `${randomUUID()}.unfinished`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await this.#makeRoomFor(path, bytes);
      await writeFile(unfinished, [head, blob], { flag: 'wx', mode: 0o600 });
      await this.#touch(unfinished);
      // Whoever reads meanwhile sees the old file or the new one, each of them whole.
      await rename(unfinished, path);
      // Another runner may have found the same room at the same time.
      await this.#makeRoomFor(path, bytes);
    } catch (error) {
      this.#fault(error);
      await this.#attempt(rm(unfinished, { force: true }));
    }
  }

  async remove(contentHash: string): Promise<void> {
    const path = this.#pathOf(contentHash);
    if (path !== undefined) await this.#attempt(rm(path, { recursive: true, force: true }));
  }

  #pathOf(contentHash: string): string | undefined {
    const hex = CONTENT_HASH.exec(contentHash)?.[1];
    return hex === undefined ? undefined : join(this.#options.folder, `${hex}.artifact`);
  }

  /** Removes the least recently used until `path` and the rest fit together, `path` being of so many bytes. */
  async #makeRoomFor(path: string, bytes: number): Promise<void> {
    const others = (await this.#list()).filter((file) => file.path !== path);
    let total = others.reduce((sum, file) => sum + file.bytes, bytes);
    for (const file of others.sort((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#options.maxBytes) return;
      if (!file.isFinished) continue;
      await rm(file.path, { recursive: true, force: true });
      total -= file.bytes;
    }
  }

  /** Our files, without those of runners that died while they wrote. Whatever else lies in the folder is not ours to touch. */
  async #list(): Promise<CachedFile[]> {
    const { folder, nowMs } = this.#options;
    const files: CachedFile[] = [];
    for (const name of await readdir(folder)) {
      const isFinished = ARTIFACT_FILE.test(name);
      if (!isFinished && !UNFINISHED_FILE.test(name)) continue;
      const path = join(folder, name);
      const found = await statOf(path);
      if (found === undefined) continue;
      const { size: bytes, mtimeMs: usedMs } = found;
      if (isFinished || nowMs() - usedMs <= UNFINISHED_MS) files.push({ path, isFinished, bytes, usedMs });
      else await rm(path, { recursive: true, force: true });
    }
    return files;
  }

  async #touch(path: string): Promise<void> {
    const seconds = this.#options.nowMs() / 1_000;
    await this.#attempt(utimes(path, seconds, seconds));
  }

  async #attempt(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      // Another runner was faster.
      if (codeOf(error) !== 'ENOENT') this.#fault(error);
    }
  }

  // Once: a disk that is full or read-only fails on every call.
  #fault(error: unknown): void {
    if (this.#faultTold) return;
    this.#faultTold = true;
    this.#options.onFault(error instanceof Error ? error : new Error('unknown'));
  }
}

/** What {@link parse} takes apart; the blob follows. */
function header(signature: string): Buffer {
  const length = Buffer.alloc(4);
  const text = Buffer.from(signature, 'latin1');
  length.writeUInt32LE(text.byteLength);
  return Buffer.concat([MAGIC, length, text]);
}

/** The artifact is a view of `bytes`. Undefined where they are not in the format; a blob cut short is found by who verifies. */
function parse(bytes: Buffer): PackedArtifact | undefined {
  if (bytes.byteLength < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const blobAt = HEADER_BYTES + bytes.readUInt32LE(MAGIC.length);
  if (blobAt > bytes.byteLength) return undefined;
  return { signature: bytes.toString('latin1', HEADER_BYTES, blobAt), blob: bytes.subarray(blobAt) };
}

/** Undefined where it is not a plain file of at most `maxBytes`. Neither a link nor a pipe is followed. */
async function readRegularFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    return found.isFile() && found.size <= maxBytes ? await file.readFile() : undefined;
  } finally {
    await file.close();
  }
}

/** Undefined: another runner has removed it meanwhile. */
async function statOf(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}
