import { join } from 'node:path';
import { startStack } from '@alga/local-stack';
import { ALGA_API_ORIGIN } from './demo/scenario.ts';
import { ROOT } from './nx.ts';

// The stack of the demo without its story; what was published and installed stays from run to run.

const stopped = new AbortController();
const ended = new Promise<void>((resolve) => {
  stopped.signal.addEventListener('abort', () => resolve(), { once: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopped.abort(new Error('stopped')));

try {
  const stack = await startStack({
    dir: join(ROOT, '.runtime/dev'),
    runners: 2,
    egressPrivateOrigins: [ALGA_API_ORIGIN],
    progress: (line) => console.log(line),
    signal: stopped.signal,
  });
  console.log(
    `\nGateway ${stack.urls.gateway}, control-plane ${stack.urls.controlPlane}, registry ${stack.urls.registry}`,
  );
  console.log(`Operator key: ${stack.keysDir}/operator-key. Logs: ${stack.logsDir}. Running until Ctrl-C.`);
  await ended;
  await stack.stop();
} catch (error) {
  if (!stopped.signal.aborted) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
