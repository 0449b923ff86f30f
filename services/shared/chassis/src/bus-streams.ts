import { type EventChannel, STREAMS } from '@alga/contracts';
import { AckPolicy, DiscardPolicy, jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from './logger.ts';

/** A message whose handler failed comes again after this. */
const REDELIVER_MS = 1_000;
/** A handler that has not acknowledged by then is taken for lost. */
const ACK_WAIT_NS = 30_000_000_000;

export type StreamName = keyof typeof STREAMS;

export interface StreamConsumer {
  /** No further message is taken; the ones being handled end first. */
  stop(): Promise<void>;
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

/** A durable consumer: one message at a time, in order, acknowledged after its handler resolved. */
export async function consumeStream<T>(
  connection: NatsConnection,
  channel: EventChannel<T>,
  durable: string,
  handler: (event: T) => Promise<void>,
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
  const done = (async () => {
    for await (const message of messages) {
      const event = channel.message.decode(message.data);
      if (!event.ok) {
        // It will never match: kept from coming back, and seen in the log.
        logger.error({ subject: message.subject, errors: event.errors }, 'event refused');
        message.term('does not match its schema');
        continue;
      }
      try {
        await handler(event.value);
        message.ack();
      } catch (err) {
        logger.error({ err, subject: message.subject }, 'event handler failed, it will come again');
        message.nak(REDELIVER_MS);
      }
    }
  })().catch((err: unknown) => logger.error({ err, durable }, 'consumer ended'));
  return {
    async stop() {
      await messages.close();
      await done;
    },
  };
}
