import { type ChildProcess, fork } from 'node:child_process';
import { type Confinement, confinedCommand } from './confinement.ts';
import type { SandboxProgram } from './program.ts';

export interface SpawnOptions {
  /** V8 heap, in MiB: glue and lifted values. */
  readonly heapMb: number;
  /** Most that heap and guests may come to, in MiB. */
  readonly memoryMb: number;
  readonly confinement: Confinement;
  /** Number of the sandbox, for a user of its own. */
  readonly index: number;
}

/**
 * The flags that make a Node process a sandbox. The permission model denies the network, children, addons, WASI,
 * the inspector and writing; reading is limited to `readable`, and reading and threads end when the sandbox has started
 * (lockdown.ts): one thread is the watchdog.
 */
export function sandboxFlags(readable: string, heapMb: number): string[] {
  return [
    '--permission',
    `--allow-fs-read=${readable}`,
    '--allow-worker',
    '--disallow-code-generation-from-strings',
    '--frozen-intrinsics',
    '--disable-proto=throw',
    '--disable-sigusr1',
    '--no-addons',
    '--no-experimental-websocket',
    '--no-experimental-sqlite',
    // Glue is evaluated in a realm of its own (sandbox/realm.ts).
    '--experimental-vm-modules',
    // Memories of discarded instances are not counted by the collector (sandbox/calls.ts).
    '--expose-gc',
    // The garbage of calls is short-lived: a larger nursery brings no speed and keeps 50 MB more resident (measured).
    '--max-semi-space-size=2',
    // Some of V8's flags have it write files, which the permission model does not see.
    '--freeze-flags-after-init',
    `--max-old-space-size=${heapMb}`,
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ];
}

/** Forks a sandbox: no environment, nothing of the parent's flags, no stdin or stdout, no core dump. */
export function spawnSandbox(program: SandboxProgram, options: SpawnOptions): ChildProcess {
  const flags = sandboxFlags(program.folder, options.heapMb);
  // Node cannot set resource limits or change user on its own; a shell and setpriv can.
  const { command, args } = confinedCommand(options.confinement, options.index, options.memoryMb);
  return fork(program.main, [], {
    cwd: '/',
    env: {},
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execPath: command,
    execArgv: [...args, ...flags],
  });
}
