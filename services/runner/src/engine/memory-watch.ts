import type { Sandbox } from './sandbox.ts';

/** A guest that fills memory at 1 GB/s gets this far beyond its limit; the kernel's own limit is behind it. */
const LOOK_MS = 200;

/** What the watch asks of a sandbox. */
export type Watched = Pick<Sandbox, 'residentBytes' | 'killForMemory' | 'isEnding'>;

interface MemoryWatchOptions {
  readonly sandboxes: () => readonly Watched[];
  /** Resident bytes at which a sandbox is killed. */
  readonly sandboxBytes: number;
  /** Resident bytes of all of them, above which idle ones are retired, and where none is idle the largest is killed. */
  readonly totalBytes: number;
  /** Retires the sandbox that was idle longest; undefined where none is idle. */
  readonly retireIdle: () => Watched | undefined;
}

/** Watches the resident memory of the sandboxes, where the kernel tells it (Linux). */
export function watchMemory(options: MemoryWatchOptions): { stop(): void } {
  const timer = setInterval(() => look(options), LOOK_MS).unref();
  return { stop: () => clearInterval(timer) };
}

function look({ sandboxes, sandboxBytes, totalBytes, retireIdle }: MemoryWatchOptions): void {
  const resident = new Map<Watched, number>();
  for (const sandbox of sandboxes()) {
    const bytes = sandbox.residentBytes() ?? 0;
    if (bytes > sandboxBytes) sandbox.killForMemory();
    else resident.set(sandbox, bytes);
  }
  let total = [...resident.values()].reduce((sum, bytes) => sum + bytes, 0);
  while (total > totalBytes) {
    const [largest] = [...resident.keys()].sort((a, b) => (resident.get(b) ?? 0) - (resident.get(a) ?? 0));
    const gone = retireIdle() ?? largest;
    if (gone === undefined) return;
    // Else the kernel would choose, and it might choose the runner.
    if (!gone.isEnding) gone.killForMemory();
    total -= resident.get(gone) ?? 0;
    resident.delete(gone);
  }
}
