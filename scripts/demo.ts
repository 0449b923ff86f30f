import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failureText } from './demo/failure-text.ts';
import { Interrupted, listenForInterruption } from './demo/interruption.ts';
import type { DemoFigures } from './demo/scenario.ts';
import { Steps } from './demo/steps.ts';
import { ROOT } from './nx.ts';

// The whole path on one command. `--exit`: end by itself; the last line is then one JSON object, however the run ends.
// `--dir <folder>`: another place than .runtime/demo for its data, keys and logs.
// Servers named by NATS_URL, REDIS_URL and DATABASE_URL are left running, with what the run put there until the next run removes it:
// the streams ALGA_EVENTS and ALGA_AUDIT, the bucket alga-bundles, the keys alga:*, the databases alga_demo_*.

const INTERRUPTED = 130;
const NOT_MEASURED: DemoFigures = {
  call: { p50Ms: 0, p99Ms: 0, n: 0 },
  rotation: { ackMs: 0, calls: 0, staleReads: 0, failed: 0 },
  secretsInLogs: -1,
};

const interrupted = listenForInterruption();
const print = (line: string) => console.log(line);
const steps = new Steps(print, interrupted);
const exit = process.argv.includes('--exit');
let figures: DemoFigures | undefined;
let code = 1;
try {
  const dir = folder();
  // Imported late: it takes a second, in which a Ctrl-C must find somebody who listens.
  const { runDemo } = await import('./demo/run-demo.ts');
  interrupted.throwIfAborted();
  figures = await runDemo({ dir, steps, print, interrupted, stayUp: !exit });
  if (figures !== undefined) code = 0;
} catch (error) {
  if (error instanceof Interrupted) code = INTERRUPTED;
  else console.error(`\n${failureText(error)}`);
}
if (exit) print(JSON.stringify({ ok: code === 0, steps: steps.results, ...(figures ?? NOT_MEASURED) }));
// An abandoned step may be at work still, a build for example: exiting ends it.
process.exit(code);

function folder(): string {
  try {
    const { values } = parseArgs({ options: { exit: { type: 'boolean' }, dir: { type: 'string' } } });
    return values.dir ?? join(ROOT, '.runtime/demo');
  } catch (error) {
    throw new Error(`${(error as Error).message}. Usage: npm run demo -- [--exit] [--dir <folder>]`);
  }
}
