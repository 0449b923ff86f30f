import { type EventChannel, STREAMS } from '@alga/contracts';
import { AckPolicy, DiscardPolicy, type JsMsg, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from './logger.ts';

/** A message whose handler failed comes again after this. */
const REDELIVER_MS = 1_000;
/** A handler that has not acknowledged by then is taken for lost. */
const ACK_WAIT_NS = 30_000_000_000;
/** Events handed over at once: what a handler can do with all of them well within the time to acknowledge. */
const MAX_GROUP = 8;

export type StreamName = keyof typeof STREAMS;

export interface StreamConsumer {
  /** No further message is taken; the ones being handled end first. */
  stop(): Promise<void>;
}

interface Delivery<T> {
  readonly message: JsMsg;
  readonly event: T;
}

/** Creates the streams that do not exist yet; harmless when several processes do it at once. */
export async function ensureStreams(connection: NatsConnection, names: readonly StreamName[]): Promise<void> {
  const manager = await jetstreamManager(connection);
  for (const stream of names.map((name) => STREAMS[name])) {
    await manager.streams.add({
      name: stream.name,
      subjects: [...stream.subjects],
      max_msgs_per_subject: stream.perSubject,
      max_bytes: stream.maxBytes,
      discard: DiscardPolicy.Old,
      storage: StorageType.File,
    });
  }
}

/**
 * A durable consumer: one group of events at a time, in order, acknowledged after its handler resolved. What failed in
 * a group comes again alone, so that one event nobody can handle does not hold up its neighbours for ever.
 */
export async function consumeStream<T>(
  connection: NatsConnection,
  channel: EventChannel<T>,
  durable: string,
  handler: (events: readonly T[]) => Promise<void>,
  logger: Logger,
): Promise<StreamConsumer> {
  const stream = channel.wildcard.startsWith('alga.v1.audit.') ? STREAMS.audit : STREAMS.events;
  const manager = await jetstreamManager(connection);
  await manager.consumers.add(stream.name, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_NS,
    filter_subject: channel.wildcard,
  });
  const consumer = await jetstream(connection).consumers.get(stream.name, durable);
  const messages = await consumer.consume({ max_messages: 64 });
  const waiting: Delivery<T>[] = [];
  let busy = false;
  let handling = Promise.resolve();
  const handleWaiting = async () => {
    busy = true;
    while (waiting.length > 0) {
      const group = waiting.splice(0, groupSize(waiting));
      try {
        await handler(group.map(({ event }) => event));
        for (const { message } of group) message.ack();
      } catch (err) {
        logger.error({ err, durable, events: group.length }, 'event handler failed, they will come again');
        for (const { message } of group) message.nak(REDELIVER_MS);
      }
    }
    busy = false; // in the same step as the check above: an event that comes next starts a new run
  };
  const done = (async () => {
    for await (const message of messages) {
      const event = channel.message.decode(message.data);
      if (event.ok) {
        waiting.push({ message, event: event.value });
        if (!busy) handling = handleWaiting();
      } else {
        // It will never match: kept from coming back, and seen in the log. Without the reason that newer servers take: one
        // before 2.10 ignores the whole word then, sends the event for ever, and after 1,000 of them no other (measured).
        logger.error({ subject: message.subject, errors: event.errors }, 'event refused');
        message.term();
      }
    }
  })().catch((err: unknown) => logger.error({ err, durable }, 'consumer ended'));
  return {
    async stop() {
      await messages.close();
      await done;
      for (const { message } of waiting.splice(0)) message.nak(); // for another process, at once
      await handling;
    },
  };
}

/** How many of the first belong together: events that come for the first time, or one that came before. */
function groupSize(waiting: readonly Delivery<unknown>[]): number {
  const again = waiting.slice(0, MAX_GROUP).findIndex(({ message }) => message.redelivered);
  return again === -1 ? Math.min(waiting.length, MAX_GROUP) : Math.max(again, 1);
}
