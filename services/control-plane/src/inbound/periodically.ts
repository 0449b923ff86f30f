import type { Logger } from '@alga/chassis';

interface Periodic {
  /** No further run; the one in progress ends first. */
  stop(): Promise<void>;
}

/** Runs work again and again, `waitMs` after the last run ended. A failure is logged once until the next success. */
export function periodically(name: string, waitMs: number, work: () => Promise<unknown>, logger: Logger): Periodic {
  let failing = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const run = async () => {
    try {
      await work();
      failing = false;
    } catch (err) {
      if (!failing) logger.warn({ err, work: name }, 'periodic work failed');
      failing = true;
    }
    schedule();
  };
  const schedule = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      running = run();
    }, waitMs);
  };
  schedule();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
