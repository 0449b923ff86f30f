import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isStillRunning, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { type WaitOptions, waitUntil } from './wait-until.ts';

/** Taking away a dead holder's lock is a handful of system calls; a marker older than this belongs to someone who died doing it. */
const STEAL_MARKER_MAX_AGE_MS = 10_000;

type Attempt =
  | { readonly kind: 'held'; readonly release: () => Promise<void> }
  | { readonly kind: 'busy'; readonly holder: ProcessIdentity };

/**
 * Takes the lock `file` if nobody who still runs holds it. The lock is a file that names its holder and appears with its content
 * or not at all (a hard link), so that a holder that died is told from one that has just begun.
 */
export async function tryLock(file: string): Promise<Attempt> {
  await mkdir(path.dirname(file), { recursive: true });
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, JSON.stringify(await ownIdentity()));
  try {
    for (;;) {
      if (await succeeds(link(own, file), 'EEXIST'))
        return { kind: 'held', release: () => unlink(file).catch(() => undefined) };
      const holder = await holderOf(file);
      if (holder === undefined) continue; // released meanwhile
      if (await isStillRunning(holder)) return { kind: 'busy', holder };
      await removeDeadHolder(file, holder);
    }
  } finally {
    await unlink(own);
  }
}

/** Runs `work` under the lock, waiting for its holder. Rejects when the deadline passes first. */
export async function withLock<T>(file: string, wait: WaitOptions, work: () => Promise<T>): Promise<T> {
  let attempt = await tryLock(file);
  await waitUntil(
    async () => {
      if (attempt.kind === 'busy') attempt = await tryLock(file);
      return attempt.kind === 'held';
    },
    { everyMs: 100, ...wait },
  );
  if (attempt.kind === 'busy') {
    throw new Error(
      `Process ${attempt.holder.pid} has held ${file} for more than ${wait.deadlineMs} ms: end it or remove the file.`,
    );
  }
  try {
    return await work();
  } finally {
    await attempt.release();
  }
}

async function holderOf(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** One at a time, and only after a second look: between judging and removing, the dead holder's lock may have become a live one's. */
async function removeDeadHolder(file: string, dead: ProcessIdentity): Promise<void> {
  const marker = `${file}.stealing`;
  if (!(await succeeds(mkdir(marker), 'EEXIST'))) {
    const age =
      Date.now() -
      (await stat(marker).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      ));
    if (age > STEAL_MARKER_MAX_AGE_MS) await rmdir(marker).catch(() => undefined);
    await waitUntil(async () => (await stat(marker).catch(() => undefined)) === undefined, { deadlineMs: 1_000 });
    return;
  }
  try {
    const holder = await holderOf(file);
    if (holder?.pid === dead.pid && holder.startTime === dead.startTime) await unlink(file);
  } finally {
    await rmdir(marker);
  }
}

/** False for the one expected refusal; other errors are faults. */
async function succeeds(action: Promise<unknown>, refusal: string): Promise<boolean> {
  try {
    await action;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === refusal) return false;
    throw error;
  }
}
