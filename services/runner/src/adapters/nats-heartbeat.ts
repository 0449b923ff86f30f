import type { Bus, Logger } from '@alga/chassis';
import { channels } from '@alga/contracts';

/** A gateway takes a runner for lost after 1 s without one: three may go missing. */
const INTERVAL_MS = 250;

interface HeartbeatParts {
  readonly bus: Pick<Bus, 'publish'>;
  readonly runnerId: string;
  readonly capacity: number;
  readonly inFlight: () => number;
  readonly draining: () => boolean;
  /** Above every number that an earlier life of this runner id sent: its start time in ms serves, four beats a second. */
  readonly firstSequence: number;
  readonly logger: Logger;
}

/** Tells the gateways that this runner lives and how full it is. */
export function startHeartbeat(parts: HeartbeatParts): { beat(): Promise<void>; stop(): void } {
  const { bus, runnerId, capacity, logger } = parts;
  let sequence = parts.firstSequence;
  const beat = async (): Promise<void> => {
    sequence += 1;
    const inFlight = Math.min(parts.inFlight(), capacity);
    await bus.publish(channels.fleetHeartbeat, { runnerId, sequence, inFlight, capacity, draining: parts.draining() });
  };
  const report = (err: unknown): void => logger.warn({ err }, 'heartbeat not sent');
  const timer = setInterval(() => void beat().catch(report), INTERVAL_MS);
  return { beat, stop: () => clearInterval(timer) };
}
