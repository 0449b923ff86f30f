/** What ended a run before its end: not a failure, and nothing to report. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * Aborts at the first Ctrl-C, end signal, hang-up, or loss of whoever reads the output; later ones change nothing, since one Ctrl-C
 * reaches a process several times (from the terminal, and passed on by npm). Call it before anything that takes time is imported.
 */
export function listenForInterruption(): AbortSignal {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (!controller.signal.aborted) controller.abort(new Interrupted('interrupted'));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  // `npm run demo | head`, or a terminal that was closed: writing fails, and without a listener that ends the process where it stands.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', interrupt);
  return controller.signal;
}

/** Rejects when the signal is aborted, with its reason. Never resolves. */
export function interruption(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
