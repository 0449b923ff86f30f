import type { Bus, Logger } from '@alga/chassis';
import { AlgaError, channels, type ExecuteReplyHead, type Framed } from '@alga/contracts';
import type { Runners } from '../core/calls.ts';
import type { AttemptOutcome } from '../core/dispatch.ts';
import { Fleet } from '../core/fleet.ts';
import { ListeningClock } from '../core/listening-clock.ts';

const SWEEP_EVERY_MS = 100;

interface NatsRunners extends Runners {
  stop(): void;
}

/** Executes on the runners that are heard on the bus; a call whose runner falls silent is abandoned (I7). */
export function natsRunners(options: {
  readonly bus: Bus;
  readonly logger: Logger;
  /** Whether a heartbeat would reach us now. */
  readonly listening: () => boolean;
}): NatsRunners {
  const { bus, logger, listening } = options;
  const fleet = new Fleet();
  const clock = new ListeningClock(performance.now());
  const now = () => clock.tick(performance.now(), listening());
  /** Runner -> fires when it is lost. */
  const lost = new Map<string, AbortController>();

  bus.listen(channels.fleetHeartbeat, (beat) => fleet.hear(beat, now()));
  const sweep = setInterval(() => {
    for (const runnerId of fleet.sweep(now())) {
      logger.warn({ runnerId }, 'runner lost');
      lost.get(runnerId)?.abort();
      lost.delete(runnerId);
    }
  }, SWEEP_EVERY_MS);

  function lossOf(runnerId: string): AbortSignal {
    let controller = lost.get(runnerId);
    if (controller === undefined) {
      controller = new AbortController();
      lost.set(runnerId, controller);
    }
    return controller.signal;
  }

  return {
    async execute(message, key, attempt): Promise<AttemptOutcome<Framed<ExecuteReplyHead>>> {
      const runnerId = fleet.choose(key, now(), attempt.avoid);
      const options = { deadlineMs: attempt.deadlineMs, attempt: attempt.number };
      const ended = runnerId === undefined ? undefined : fleet.begin(runnerId);
      try {
        const reply = await (runnerId === undefined
          ? bus.request(channels.execute, message, options)
          : bus.request(channels.executeOn, message, { ...options, params: { runnerId }, signal: lossOf(runnerId) }));
        return { ok: true, reply };
      } catch (cause) {
        const error = cause instanceof AlgaError ? cause : new AlgaError('internal', undefined, { cause });
        const { requestId } = message.head;
        logger.warn({ requestId, runnerId, attempt: attempt.number, code: error.code }, 'attempt failed');
        return { ok: false, error, runnerId };
      } finally {
        ended?.();
      }
    },
    stop: () => clearInterval(sweep),
  };
}
