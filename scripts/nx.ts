import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = fileURLToPath(new URL('../node_modules/.bin', import.meta.url));

/** The environment of a project's task: Node 26 first on PATH, no nx daemon left behind. */
const taskEnv = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: `${BIN}${delimiter}${process.env.PATH ?? ''}`,
  NX_DAEMON: 'false',
  NX_TUI: 'false',
  ...extra,
});

/** No tool takes this long unless it hangs. */
const TOOL_DEADLINE_MS = 20 * 60_000;

/** Runs a tool of node_modules/.bin in the root and returns its exit code; a tool that hangs is ended and has failed. */
export function runTool(tool: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  const options = { cwd: ROOT, stdio: 'inherit', env: taskEnv(env), timeout: TOOL_DEADLINE_MS } as const;
  const { status, error } = spawnSync(`${BIN}/${tool}`, args, options);
  if (error !== undefined) console.error(`${tool} did not end by itself: ${error.message}`);
  return status ?? 1;
}
