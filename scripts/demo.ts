import { join } from 'node:path';
import { type Stack, startStack } from '@alga/local-stack';
import { ALGA_API_ORIGIN, type DemoFigures, Scenario } from './demo/scenario.ts';
import { StepFailed, Steps } from './demo/steps.ts';
import { closingTable } from './demo/table.ts';
import { ROOT } from './nx.ts';

// The whole path on one command. `--exit`: end by itself; the last line is then one JSON object.

const exit = process.argv.includes('--exit');
const print = (line: string) => console.log(line);
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopped.abort(new StepFailed('stopped')));

const steps = new Steps(print);
let stack: Stack | undefined;
let scenario: Scenario | undefined;
let figures: DemoFigures | undefined;
try {
  stack = await steps.run('start servers and services', async () => {
    return startStack({
      dir: join(ROOT, '.runtime/demo'),
      fresh: true, // each run tells its story from the beginning
      runners: 2,
      egressPrivateOrigins: [ALGA_API_ORIGIN],
      progress: steps.detail,
      signal: stopped.signal,
    });
  });
  scenario = await Scenario.open(stack, steps);
  figures = await Promise.race([scenario.play(), aborted(stopped.signal)]);
  print(closingTable(figures, stack, scenario.invokeKey));
  if (!exit) {
    print('Running until Ctrl-C.');
    await aborted(stopped.signal).catch(() => {});
  }
} catch (error) {
  if (!stopped.signal.aborted) console.error(`\n${error instanceof StepFailed ? error.message : describe(error)}`);
  process.exitCode = 1;
} finally {
  await scenario?.close();
  await steps.run('stop everything', async () => stack?.stop()).catch(() => {});
}
const ok = figures !== undefined && steps.results.every((step) => step.ok);
if (!ok) process.exitCode = 1;
if (exit) {
  const none = {
    call: { p50Ms: 0, p99Ms: 0, n: 0 },
    rotation: { ackMs: 0, calls: 0, staleReads: 0, failed: 0 },
    secretsInLogs: -1,
  };
  print(JSON.stringify({ ok, steps: steps.results, ...(figures ?? none) }));
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
