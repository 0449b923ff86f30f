import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const SHELL = '/bin/sh';
/** The range that systemd keeps for users that exist for the life of one service. */
const FIRST_UID = 61_184;
const UIDS = 4_336;
const PROBE_DEADLINE_MS = 5_000;
/**
 * Counted by the kernel before a guest has allocated a byte: V8 maps its code range and its cage as writable. Measured with Node 26:
 * 512 MiB are too little to start in, 1 GiB leaves 450 MiB.
 */
const V8_DATA_MB = 600;

/** What this platform can take away from a process before it starts. Asked once; the operator is told. */
export interface Confinement {
  /** Limits of the kernel: no core dump, a bound on memory. Without a shell the image has to set them. */
  readonly resourceLimits: boolean;
  readonly noNewPrivileges: boolean;
  /** A user of its own for each sandbox: it cannot signal or trace any other. Takes a runner that is root. */
  readonly ownUser: boolean;
  /** Ends with its parent, even in a loop. */
  readonly diesWithParent: boolean;
}

/** Finds out by trying: containers forbid some of it, and macOS and busybox have no setpriv. */
export function probeConfinement(): Confinement {
  const resourceLimits = existsSync(SHELL);
  const works = (...flags: string[]): boolean =>
    spawnSync('setpriv', [...flags, process.execPath, '--version'], {
      stdio: 'ignore',
      cwd: '/',
      timeout: PROBE_DEADLINE_MS,
    }).status === 0;
  if (!resourceLimits || !works('--pdeathsig', 'KILL')) {
    return { resourceLimits, noNewPrivileges: false, ownUser: false, diesWithParent: false };
  }
  return {
    resourceLimits,
    diesWithParent: true,
    noNewPrivileges: works('--no-new-privs'),
    ownUser: process.getuid?.() === 0 && works('--no-new-privs', ...userFlags(0)),
  };
}

function userFlags(index: number): string[] {
  const uid = String(FIRST_UID + (index % UIDS));
  return ['--reuid', uid, '--regid', uid, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all'];
}

/**
 * The command that starts Node confined.
 * @param index of the sandbox: another one gives another user.
 * @param memoryMb most that guests and heap may come to. Beyond it the kernel refuses, and `memory.grow` fails inside the guest.
 */
export function confinedCommand(
  { resourceLimits, noNewPrivileges, ownUser, diesWithParent }: Confinement,
  index: number,
  memoryMb: number,
): { readonly command: string; readonly args: readonly string[] } {
  if (!resourceLimits) return { command: process.execPath, args: [] };
  const setpriv = [
    ...(diesWithParent ? ['--pdeathsig', 'KILL'] : []),
    ...(noNewPrivileges ? ['--no-new-privs'] : []),
    ...(ownUser ? userFlags(index) : []),
  ];
  const limits = `ulimit -c 0; ulimit -d ${(V8_DATA_MB + memoryMb) * 1024} 2>/dev/null;`;
  const start = setpriv.length > 0 ? `exec setpriv ${setpriv.join(' ')} "$0" "$@"` : 'exec "$0" "$@"';
  return { command: SHELL, args: ['-c', `${limits} ${start}`, process.execPath] };
}
