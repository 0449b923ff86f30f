import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SANDBOX_MAIN = fileURLToPath(new URL('../sandbox/main.ts', import.meta.url));
const SANDBOX_FOLDER = fileURLToPath(new URL('../sandbox/', import.meta.url));
const SHELL = '/bin/sh';
/**
 * No core dump: it would write the tenant's secrets to disk (I3). And the end of a runner that is killed ends its sandboxes, where
 * util-linux can ask the kernel for it: a guest that loops keeps its process from seeing that the parent is gone. Elsewhere
 * (macOS, busybox) such a guest runs until whoever supervises the runner ends its process group or container.
 */
const LOCKED_START =
  'ulimit -c 0; setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "$0" "$@"; exec "$0" "$@"';

/**
 * The flags that make a Node process a sandbox. The permission model denies the network, children, workers, addons, WASI,
 * the inspector and writing; reading is limited to `readable` and ends when the sandbox has started (lockdown.ts).
 */
export function sandboxFlags(readable: string, heapMb: number): string[] {
  return [
    '--permission',
    `--allow-fs-read=${readable}`,
    '--disallow-code-generation-from-strings',
    '--frozen-intrinsics',
    '--disable-proto=throw',
    '--disable-sigusr1',
    '--no-addons',
    '--no-experimental-websocket',
    '--no-experimental-sqlite',
    // Glue is evaluated in a realm of its own (sandbox/realm.ts).
    '--experimental-vm-modules',
    `--max-old-space-size=${heapMb}`,
    // Each call leaves 10 MB of linear memory to the collector. By default V8 then marks every few calls on a heap of 20 MB:
    // measured 8 ms of CPU per call, 5.5 with these two, at the same resident size.
    '--external-memory-accounted-in-global-limit',
    '--min-semi-space-size=16',
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ];
}

/** Forks a sandbox: no environment, nothing of the parent's flags, no stdin or stdout, no core dump. */
export function spawnSandbox(heapMb: number): ChildProcess {
  return forkLocked(SANDBOX_MAIN, sandboxFlags(SANDBOX_FOLDER, heapMb));
}

/** {@link spawnSandbox} for any program: what the escape drill runs its attacker under. */
export function forkLocked(program: string, flags: readonly string[]): ChildProcess {
  // Node cannot set a resource limit or ask to die with its parent; a shell can. An image without a shell has to start the
  // runner with a core limit of 0, which children inherit.
  const shell = existsSync(SHELL);
  return fork(program, [], {
    cwd: '/',
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execPath: shell ? SHELL : process.execPath,
    execArgv: shell ? ['-c', LOCKED_START, process.execPath, ...flags] : [...flags],
  });
}
