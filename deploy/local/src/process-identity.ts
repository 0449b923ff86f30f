import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What tells a process from a later one that got the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in the platform's own terms (clock ticks since boot, or a date): only ever compared for equality. */
  readonly startTime: string;
  /** Its command line as the platform shows it. */
  readonly command: string;
}

/** Who runs under this pid now; undefined when nobody does (a zombie is nobody: it holds nothing any more). */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  return process.platform === 'linux' ? identifyByProc(pid) : identifyByPs(pid);
}

/** Whether the process that was identified then is the one that runs now. */
export async function isStillRunning(then: ProcessIdentity): Promise<boolean> {
  const now = await identify(then.pid);
  return now !== undefined && now.startTime === then.startTime && now.command === then.command;
}

/** This process, for records of who owns what. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const own = await identify(process.pid);
  if (own === undefined) throw new Error('This process cannot see itself in the process table.');
  return own;
}

async function identifyByProc(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // The name in parentheses may hold anything, parentheses too: fields are counted from the last one. proc(5): state is 3, starttime 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTime] = [fields[0], fields[19]];
    if (state === undefined || startTime === undefined || state === 'Z' || state === 'X') return undefined;
    return { pid, startTime, command: commandLine.split('\0').join(' ').trim() };
  } catch {
    return undefined; // ENOENT or ESRCH: it ended before or while we looked
  }
}

const LSTART_WIDTH = 'Mon Nov 23 19:21:00 2026'.length;

async function identifyByPs(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'lstart=,stat=,command=', '-p', String(pid)], {
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
      timeout: 5_000,
    });
    const line = stdout.trim();
    const [, state = '', command = ''] = /^(\S+)\s+(.*)$/s.exec(line.slice(LSTART_WIDTH).trim()) ?? [];
    if (line === '' || state.startsWith('Z')) return undefined;
    return { pid, startTime: line.slice(0, LSTART_WIDTH), command };
  } catch {
    return undefined; // ps exits 1 when there is no such process
  }
}
