import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));

/** The environment of a project's task: Node 26 first on PATH, no nx daemon left behind. */
export const taskEnv = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env.PATH ?? ''}`,
  NX_DAEMON: 'false',
  NX_TUI: 'false',
  ...extra,
});

/** Runs a tool of node_modules/.bin in the root and returns its exit code. */
export function runTool(tool: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const { status, error } = spawnSync(`${BIN}/${tool}`, args, { cwd: ROOT, stdio: 'inherit', env: taskEnv(env) });
  if (error !== undefined) throw error;
  return status ?? 1;
}
