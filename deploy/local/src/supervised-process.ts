import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { guardProcess } from './guard.ts';
import { defaultRuntimeDir } from './paths.ts';
import { identify, ownIdentity } from './process-identity.ts';
import { signalGroup, signalProcess, writeRecord } from './process-records.ts';
import { waitUntil } from './wait-until.ts';

const DEFAULT_GRACE_MS = 10_000;
const KILL_DEADLINE_MS = 5_000;
const PROBE_TIMEOUT_MS = 1_000;
const TAIL_BYTES = 4_096;

export interface ProcessOptions {
  /** Short name for messages and records, e.g. `gateway`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** Where stdout and stderr go, appended. */
  readonly logFile: string;
  /** Ready when a GET of this URL answers 200. */
  readonly readyUrl?: string;
  /** Ready when this says true. Ready at once with neither. Gets the child's pid. */
  readonly isReady?: (pid: number) => Promise<boolean>;
  /** How long it may take to become ready, in ms. */
  readonly deadlineMs: number;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** How to ask it to end. SIGTERM unless said otherwise. */
  readonly stopSignal?: 'SIGTERM' | 'SIGINT';
  /** Time between asking it to end and killing it, in ms. */
  readonly graceMs?: number;
  /** Where the record of the process is kept; `.runtime/` of the clone unless said otherwise. */
  readonly runtimeDir?: string | undefined;
  /** A folder under the system's temporary folder to remove if this process has to be ended by somebody else. */
  readonly temporaryDir?: string | undefined;
  /** Ends the start, and the process, when aborted. */
  readonly signal?: AbortSignal | undefined;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SupervisedProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended, however. Never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Asks it to end, kills it after the grace, resolves when it has ended. Safe to call again. */
  stop(): Promise<void>;
  /** Sends it a signal, nothing more. */
  kill(signal: NodeJS.Signals): void;
}

/** A process died, or did not become ready in time, while it was being started. The message holds the tail of its log. */
export class ProcessStartError extends Error {
  readonly logTail: string;
  readonly exit: ProcessExit | undefined;

  constructor(name: string, what: string, logTail: string, exit: ProcessExit | undefined) {
    super(`${name} ${what}.${logTail === '' ? ' It logged nothing.' : ` Its log ends:\n${logTail}`}`);
    this.name = 'ProcessStartError';
    this.logTail = logTail;
    this.exit = exit;
  }
}

/**
 * Starts a process and resolves once it is ready. Rejects with `ProcessStartError` when it dies first or is not ready in time, and
 * with the signal's reason when aborted; in both cases nothing is left running. Each child leads its own process group, so that a
 * Ctrl-C in the terminal reaches only the one who can stop everything in order.
 */
export async function startProcess(options: ProcessOptions): Promise<SupervisedProcess> {
  options.signal?.throwIfAborted();
  const runtimeDir = options.runtimeDir ?? defaultRuntimeDir;
  const owner = await ownIdentity();
  await mkdir(path.dirname(options.logFile), { recursive: true });
  const logStart = await stat(options.logFile).then(
    ({ size }) => size,
    () => 0,
  );
  const log = openSync(options.logFile, 'a', 0o600);
  const child = spawn(options.command, [...options.args], {
    env: { ...options.env },
    stdio: ['ignore', log, log],
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  closeSync(log);
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const pid = child.pid;
  if (pid === undefined) {
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
    throw new ProcessStartError(options.name, `cannot be started: ${error.code ?? error.message}`, '', undefined);
  }

  const state: { exit?: ProcessExit } = {};
  const release = guardProcess(runtimeDir);
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const identity = (await identify(pid)) ?? { pid, startTime: 'ended', command: '' };
  const { temporaryDir } = options;
  const removeRecord = await writeRecord(runtimeDir, {
    ...identity,
    name: options.name,
    stopSignal,
    owner,
    ...(temporaryDir === undefined ? {} : { temporaryDir }),
  });
  const cleanedUp = exited.then(async (exit) => {
    state.exit = exit;
    signalGroup(pid, 'SIGKILL'); // whatever it started in its group and did not end itself
    await removeRecord().catch(() => undefined); // the record of a process that has ended misleads nobody
    release();
  });

  const stop = async () => {
    if (state.exit === undefined) signalProcess(pid, stopSignal);
    const isOver = () => state.exit !== undefined;
    if (!(await waitUntil(isOver, { deadlineMs: options.graceMs ?? DEFAULT_GRACE_MS }))) {
      signalGroup(pid, 'SIGKILL');
      const killed = await waitUntil(isOver, { deadlineMs: KILL_DEADLINE_MS });
      if (!killed) throw new Error(`${options.name} (pid ${pid}) did not end when killed.`);
    }
    await cleanedUp;
  };

  const isReady = readiness(options, pid);
  const died = cleanedUp.then(() => true);
  try {
    const ready = await waitUntil(() => Promise.race([died, isReady()]), options);
    const { exit } = state;
    if (exit !== undefined || !ready) {
      const what =
        exit === undefined
          ? `was not ready after ${options.deadlineMs} ms`
          : `ended during its start (${describeExit(exit)})`;
      throw new ProcessStartError(options.name, what, await tail(options.logFile, logStart), exit);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited: cleanedUp.then(() => exited),
    stop,
    kill: (signal) => {
      if (state.exit === undefined) signalProcess(pid, signal);
    },
  };
}

function readiness(options: ProcessOptions, pid: number): () => Promise<boolean> {
  const { readyUrl, isReady } = options;
  if (isReady !== undefined) return () => isReady(pid);
  if (readyUrl === undefined) return async () => true;
  return async () => {
    try {
      const response = await fetch(readyUrl, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false; // not listening yet
    }
  };
}

function describeExit(exit: ProcessExit): string {
  return exit.signal === null ? `exit code ${exit.code}` : exit.signal;
}

/** The end of what this process logged, without what an earlier one wrote to the same file. */
async function tail(file: string, from: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(from, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString('utf8').trim();
  } finally {
    await handle.close();
  }
}
