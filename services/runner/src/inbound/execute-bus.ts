import type { Bus } from '@alga/chassis';
import { channels } from '@alga/contracts';
import type { Executor } from '../core/execute.ts';

/** Executes what gateways send: to any runner, and to this one. */
export function serveExecute(bus: Pick<Bus, 'serve'>, executor: Executor, runnerId: string): void {
  bus.serve(channels.execute, (request, { deadlineMs }) => executor.execute(request, deadlineMs));
  bus.serve(channels.executeOn, (request, { deadlineMs }) => executor.execute(request, deadlineMs), {
    params: { runnerId },
  });
}
