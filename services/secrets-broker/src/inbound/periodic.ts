import type { Logger } from '@alga/chassis';

/** Runs a task again and again, each time that long after its last end. Faults are logged. The result stops it and awaits the last run. */
export function every(ms: number, name: string, logger: Logger, task: () => Promise<void>): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const run = () => {
    running = task()
      .catch((err: unknown) => logger.warn({ err, task: name }, 'a periodic task failed'))
      .then(() => {
        if (!stopped) timer = setTimeout(run, ms);
      });
  };
  timer = setTimeout(run, ms);
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
