// Takes away what the permission model leaves to code in this process. The parent's flags do most of it
// (engine/spawn.ts); the model has no say over signals.

import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import v8 from 'node:v8';

/** Members of `process` that reach other processes, or that nothing here needs. */
const REMOVED = [
  'abort',
  'binding',
  '_linkedBinding',
  'chdir',
  'dlopen',
  'execve',
  'kill',
  '_kill',
  '_debugProcess',
  '_debugEnd',
  '_startProfilerIdleNotifier',
  '_stopProfilerIdleNotifier',
  'initgroups',
  'loadEnvFile',
  'openStdin',
  'report',
  'setegid',
  'seteuid',
  'setgid',
  'setgroups',
  'setuid',
  'umask',
] as const;

/** The same of modules, which anyone could import. V8 ends the process of whoever changes a frozen flag. */
const REMOVED_OF_MODULES: readonly (readonly [module: object, name: string])[] = [
  [os, 'setPriority'],
  [v8, 'setFlagsFromString'],
  [v8, 'setHeapSnapshotNearHeapLimit'],
];

/** The collector that `--expose-gc` hands to everybody. */
export function takeGarbageCollector(): () => void {
  const { gc } = globalThis;
  Reflect.deleteProperty(globalThis, 'gc');
  return () => void gc?.();
}

/** Call it after the last import and the last thread: reading files and starting threads end here. */
export function lockDown(): void {
  for (const name of REMOVED) Reflect.deleteProperty(process, name);
  for (const [module, name] of REMOVED_OF_MODULES) Reflect.deleteProperty(module, name);
  syncBuiltinESMExports();
  // The shell that set the core limit leaves PWD behind.
  for (const name of Object.keys(process.env)) Reflect.deleteProperty(process.env, name);
  process.argv.length = 0;
  process.execArgv.length = 0;
  process.permission.drop('fs.read');
  process.permission.drop('worker');
}
