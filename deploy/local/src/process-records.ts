import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { identify, isStillRunning, type ProcessIdentity } from './process-identity.ts';
import { waitUntil } from './wait-until.ts';

/** Time a leftover gets to end by itself before it is killed. */
const LEFTOVER_GRACE_MS = 5_000;
const TEMPORARY_PREFIX = 'alga-';

/** One started process, as a file, so that a later run can end what a killed run left behind. */
interface ProcessRecord extends ProcessIdentity {
  readonly name: string;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** Who started it. While the owner runs, the process is nobody else's business. */
  readonly owner: ProcessIdentity;
  /** A folder under the system's temporary folder that is worthless once the process has ended. */
  readonly temporaryDir?: string;
}

/** The records of one runtime folder: one file per process, named `<owner pid>-<pid>.json`. */
export function recordsDir(runtimeDir: string): string {
  return path.join(runtimeDir, 'pids');
}

/** Writes a process's record. Resolves to the way to take it back. */
export async function writeRecord(runtimeDir: string, record: ProcessRecord): Promise<() => Promise<void>> {
  const dir = recordsDir(runtimeDir);
  await mkdir(dir, { recursive: true });
  const file = path.join(dir, `${record.owner.pid}-${record.pid}.json`);
  // Never half a record: another process may be reading the folder at this moment.
  await writeFile(`${file}.part`, JSON.stringify(record));
  await rename(`${file}.part`, file);
  return () => rm(file, { force: true });
}

/**
 * Ends what earlier runs left behind in this runtime folder: processes whose owner no longer runs and that are, by pid, start time
 * and command line, still the ones that were recorded. A recycled pid is never touched. Resolves to the names of those it ended.
 */
export async function reapStale(runtimeDir: string): Promise<readonly string[]> {
  const dir = recordsDir(runtimeDir);
  const names = await readdir(dir).catch(() => [] as string[]);
  const ended = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map((name) => reapOne(path.join(dir, name))),
  );
  return ended.filter((name) => name !== undefined);
}

async function reapOne(file: string): Promise<string | undefined> {
  const record = await readRecord(file);
  if (record === undefined || (await isStillRunning(record.owner))) return undefined;
  let ended: string | undefined;
  if (await isStillRunning(record)) {
    ended = record.name;
    signalProcess(record.pid, record.stopSignal);
    const gone = await waitUntil(async () => !(await isStillRunning(record)), { deadlineMs: LEFTOVER_GRACE_MS });
    if (!gone) {
      signalGroup(record.pid, 'SIGKILL');
      await waitUntil(async () => !(await isStillRunning(record)), { deadlineMs: LEFTOVER_GRACE_MS });
    }
  }
  if (record.temporaryDir !== undefined && path.basename(record.temporaryDir).startsWith(TEMPORARY_PREFIX)) {
    await rm(record.temporaryDir, { recursive: true, force: true, maxRetries: 3 });
  }
  await rm(file, { force: true });
  return ended;
}

/** A record that cannot be read is left alone: whoever wrote it, it says nothing that could be acted on safely. */
async function readRecord(file: string): Promise<ProcessRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(file, 'utf8')) as ProcessRecord;
    return record.pid > 1 && record.owner.pid > 0 ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Sends a signal to one process; to have ended already is not an error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Sends a signal to a process that leads its own group, and to all that it started in it. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // EPERM is macOS's answer for a group of zombies.
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

/** Waits until the owner's last moments are over: its pipes close before it leaves the process table. */
export async function ownerGone(pid: number, deadlineMs: number): Promise<boolean> {
  return waitUntil(async () => (await identify(pid)) === undefined, { deadlineMs });
}
