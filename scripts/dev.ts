import { join } from 'node:path';
import { failureText } from './demo/failure-text.ts';
import { Interrupted, interruption, listenForInterruption } from './demo/interruption.ts';
import { ROOT } from './nx.ts';

// The stack of the demo without its story; what was published and installed stays from run to run.

const interrupted = listenForInterruption();
let code = 0;
try {
  // Imported late: it takes a second, in which a Ctrl-C must find somebody who listens.
  const [{ startStack }, { ALGA_API_ORIGIN }] = await Promise.all([
    import('@alga/local-stack'),
    import('./demo/scenario.ts'),
  ]);
  interrupted.throwIfAborted();
  const stack = await startStack({
    dir: join(ROOT, '.runtime/dev'),
    runners: 2,
    egressPrivateOrigins: [ALGA_API_ORIGIN],
    progress: (line) => console.log(line),
    signal: interrupted,
  });
  const { gateway, controlPlane, registry } = stack.urls;
  console.log(`\nGateway ${gateway}, control-plane ${controlPlane}, registry ${registry}`);
  console.log(`Operator key: ${stack.keysDir}/operator-key. Logs: ${stack.logsDir}. Running until Ctrl-C.`);
  await interruption(interrupted).catch(() => {});
  await stack.stop();
} catch (error) {
  if (!(error instanceof Interrupted)) {
    console.error(failureText(error));
    code = 1;
  }
}
process.exit(code);
