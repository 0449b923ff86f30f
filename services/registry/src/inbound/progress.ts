import type { Writable } from 'node:stream';
import type { Logger } from '@alga/chassis';
import { toProblem } from '@alga/contracts';
import type { ReportStage } from '../core/checklist.ts';

/** One JSON text per line. */
export const NDJSON = 'application/x-ndjson';

/** Whether an `accept` header asks for lines. */
export const wantsProgress = (accept: string | undefined): boolean =>
  (accept ?? '').split(',').some((range) => range.split(';')[0]?.trim().toLowerCase() === NDJSON);

interface ProgressLines {
  /** Whoever reads may be gone: then the lines are lost, and the work is not. */
  readonly lines: Writable;
  readonly requestId: string;
  readonly logger: Logger;
  /** @throws AlgaError where the work ends with a problem. */
  readonly work: (report: ReportStage) => Promise<object>;
}

/**
 * Writes a line per stage that begins or has passed, then `{ result }` or `{ problem }`, and ends. The status of the
 * response is sent long before that; the problem has its own.
 */
export async function writeProgress({ lines, requestId, logger, work }: ProgressLines): Promise<void> {
  const write = (line: object): void => {
    lines.write(`${JSON.stringify(line)}\n`);
  };
  try {
    write({ result: await work(write) });
  } catch (error) {
    const problem = toProblem(error, requestId);
    if (problem.status >= 500) logger.error({ err: error, requestId, code: problem.code }, 'request failed');
    write({ problem });
  } finally {
    lines.end();
  }
}
