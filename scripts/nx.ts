import { spawn } from 'node:child_process';
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
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs a tool of node_modules/.bin in the root and returns its exit code. A signal that ends us ends it first; a tool that
 * hangs is ended and has failed.
 */
export async function runTool(tool: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(`${BIN}/${tool}`, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: taskEnv(env),
    timeout: TOOL_DEADLINE_MS,
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of SIGNALS) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? 1));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, forward);
  }
}
