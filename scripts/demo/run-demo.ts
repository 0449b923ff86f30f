import { type Stack, startStack } from '@alga/local-stack';
import { failureText } from './failure-text.ts';
import { Interrupted, interruption } from './interruption.ts';
import { ALGA_API_ORIGIN, type DemoFigures, Scenario } from './scenario.ts';
import type { Steps } from './steps.ts';
import { closingTable } from './table.ts';

interface DemoRun {
  /** Data, keys and logs; emptied first. */
  readonly dir: string;
  readonly steps: Steps;
  readonly print: (line: string) => void;
  readonly interrupted: AbortSignal;
  /** Stay up after the last step, until the interruption. */
  readonly stayUp: boolean;
}

/** The stack and the story on it; everything is stopped when it resolves or rejects. Undefined: stopping was what failed. */
export async function runDemo({ dir, steps, print, interrupted, stayUp }: DemoRun): Promise<DemoFigures | undefined> {
  let stack: Stack | undefined;
  let scenario: Scenario | undefined;
  let figures: DemoFigures | undefined;
  try {
    // Not abandoned when interrupted: it stops what it has started, and then rejects.
    stack = await steps.runToItsEnd('start servers and services', () =>
      startStack({
        dir,
        fresh: true, // each run tells its story from the beginning
        runners: 2,
        egressPrivateOrigins: [ALGA_API_ORIGIN],
        progress: steps.detail,
        signal: interrupted,
      }),
    );
    scenario = await Scenario.open(stack, steps);
    figures = await scenario.play();
    print(closingTable(figures, stack, scenario.invokeKeyFile));
    if (stayUp) {
      print('Running until Ctrl-C.');
      await interruption(interrupted).catch(() => {});
    }
  } catch (error) {
    if (stack === undefined || error instanceof Interrupted) throw error;
    throw new Error(`${failureText(error)}\nThe logs are in ${stack.logsDir}.`, { cause: error });
  } finally {
    await scenario?.close().catch(() => {}); // what it opened ends with this process; the stack does not
    if (stack !== undefined) await stop(stack, steps, print);
  }
  return steps.results.every(({ ok }) => ok) ? figures : undefined;
}

async function stop(stack: Stack, steps: Steps, print: (line: string) => void): Promise<void> {
  // Never in the way of what ended the run: its own failure is a step that did not hold.
  await steps.runToItsEnd('stop everything', () => stack.stop()).catch((error) => print(failureText(error)));
}
