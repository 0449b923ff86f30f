import { readdirSync, readFileSync } from 'node:fs';

// What processes cost, from /proc: Linux only; elsewhere every figure is 0.

/** Clock ticks per second of /proc/PID/stat: fixed to 100 for user space on every Linux we run on. */
const TICKS_PER_SECOND = 100;

/** A process with all its descendants. */
export function family(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of entries('/proc')) {
    const parent = /^[0-9]+$/.test(name) ? /\) \S (\d+) /.exec(read(`/proc/${name}/stat`))?.[1] : undefined;
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const all = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (all.has(parent) && !all.has(pid)) {
        all.add(pid);
        grown = true;
      }
    }
  }
  return [...all];
}

/** Proportional set size: pages that several processes share count for each in part. */
export const proportionalKib = (pid: number): number =>
  Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);

/** Resident set size: every page counts whole. */
export const residentKib = (pid: number): number =>
  Number(/^Rss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);

/** CPU time that a process has used so far, user and system, in ms. */
export function cpuMs(pid: number): number {
  const fields = read(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 1000) / TICKS_PER_SECOND;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the process ended meanwhile
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
