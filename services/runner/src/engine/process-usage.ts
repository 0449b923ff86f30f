import { readFileSync } from 'node:fs';

/** Of the memory in /proc/<pid>/statm. Every platform that we know of with that file has pages of this size or larger. */
const STATM_PAGE_BYTES = 4_096;
/** Of the times in /proc/<pid>/stat: 100 per second on every Linux that Node runs on. */
const CLOCK_TICK_MS = 10;

/** Resident memory of a process in bytes, as the kernel counts it; undefined where it cannot be read. */
export function residentBytes(pid: number | undefined): number | undefined {
  const pages = Number(read(pid, 'statm')?.split(' ')[1]);
  return Number.isFinite(pages) ? pages * STATM_PAGE_BYTES : undefined;
}

/** Processor time of a process in ms, as the kernel counts it; undefined where it cannot be read. */
export function processorMs(pid: number | undefined): number | undefined {
  const stat = read(pid, 'stat');
  if (stat === undefined) return undefined;
  // User and system time are fields 14 and 15; the second, a name, may hold spaces.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * CLOCK_TICK_MS;
}

function read(pid: number | undefined, file: 'stat' | 'statm'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}
