// A stack must not outlive whoever started it, also when that process is killed without a chance to clean up. Plain Node cannot ask
// the kernel for that, but a pipe can: a tiny shell waits on one whose other end only this process holds. When it closes and records
// of started processes are still there, the shell becomes the reaper (reap.ts). Costs about 1 MB and no CPU while everything is well.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import path from 'node:path';
import { recordsDir } from './process-records.ts';

// Deaf to requests to end: task runners (nx, at Ctrl-C) send them to every descendant they find, in other sessions too.
const WATCH =
  'trap "" HUP INT TERM; read _; for record in "$1"/"$2"-*.json; do [ -e "$record" ] && shift 2 && exec "$@"; done';

interface Guard {
  readonly shell: ChildProcess;
  watched: number;
}

const guards = new Map<string, Guard>();

/** Has the processes recorded in this runtime folder ended when this process dies. Returns the way to say that one of them has ended. */
export function guardProcess(runtimeDir: string): () => void {
  const guard = guards.get(runtimeDir) ?? startGuard(runtimeDir);
  guard.watched++;
  return () => {
    guard.watched--;
    if (guard.watched > 0) return;
    guards.delete(runtimeDir);
    guard.shell.stdin?.end();
  };
}

function startGuard(runtimeDir: string): Guard {
  const reaper = [process.execPath, '--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'reap.ts')];
  const args = [
    '-c',
    WATCH,
    'alga-guard',
    recordsDir(runtimeDir),
    String(process.pid),
    ...reaper,
    runtimeDir,
    String(process.pid),
  ];
  // Its own session: a signal to the whole group, Ctrl-C or SIGKILL, must find the guard still standing.
  const shell = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: {}, cwd: '/' });
  shell.on('error', () => undefined); // no shell, no guard: the records still let the next run clean up
  shell.stdin?.on('error', () => undefined);
  shell.unref();
  (shell.stdin as Socket | null)?.unref();
  const guard = { shell, watched: 0 };
  guards.set(runtimeDir, guard);
  return guard;
}
