// Servers that somebody else runs: NATS_URL, REDIS_URL, DATABASE_URL. They are used as they are and left running. A stack that is to
// begin with nothing takes away what an earlier one left in them, and nothing else: what it deletes carries our name.
import { BUNDLE_BUCKET, channels, STREAMS } from '@alga/contracts';
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { AuthorizationError, connect, errors, type NatsConnection } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { createDatabase, dropUnusedDatabase } from './databases.ts';

const CONNECT_TIMEOUT_MS = 3_000;
const REQUEST_TIMEOUT_MS = 2_000;
const OWN_STREAMS = [STREAMS.events.name, STREAMS.audit.name, `OBJ_${BUNDLE_BUCKET}`];
/** Every key of ours begins so. */
const OWN_KEYS = 'alga:*';
/** A stack that begins with nothing keeps off the databases of one that continues, and off other people's of the same name. */
const FRESH_PREFIX = 'alga_demo_';

export interface GivenServer {
  readonly url: string;
  /** Begin with nothing. */
  readonly fresh: boolean;
}

/** @throws Error with the setting's name and the fix, when the server does not answer or serves another platform. */
export async function takeNats({ url, fresh }: GivenServer): Promise<void> {
  const connecting = connect({ servers: url, timeout: CONNECT_TIMEOUT_MS, reconnect: false });
  const connection = await connecting.catch((error: unknown) => {
    // It wants the services' own keys, which are not new: what they may do there is for its owner to say.
    if (error instanceof AuthorizationError && !fresh) return undefined;
    return answer('NATS_URL', connecting);
  });
  if (connection === undefined) return;
  try {
    if (await servesPlatform(connection)) {
      throw new Error(
        'NATS_URL names a server on which another platform runs, and the two would take each other for their own: stop that one, or unset NATS_URL.',
      );
    }
    if (fresh) await deleteStreams(connection);
  } finally {
    await connection.close();
  }
}

/** @throws Error as {@link takeNats}. */
export async function takeRedis({ url, fresh }: GivenServer): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: REQUEST_TIMEOUT_MS,
  });
  let refusal: unknown;
  redis.on('error', (error) => {
    refusal ??= error; // says why; what `connect` then rejects with does not
  });
  try {
    await answer(
      'REDIS_URL',
      redis.connect().catch((error: unknown) => Promise.reject(refusal ?? error)),
    );
    if (!fresh) return;
    for await (const keys of redis.scanStream({ match: OWN_KEYS, count: 1_000 })) {
      if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
    }
  } finally {
    redis.disconnect();
  }
}

/**
 * Makes a database on the server and resolves to its URL: the named one, or, to begin with nothing, an empty one of our own.
 * @throws Error as {@link takeNats}.
 */
export async function takeDatabase({ url, fresh }: GivenServer, name: string): Promise<string> {
  if (!fresh) return answer('DATABASE_URL', createDatabase(url, name));
  // Refused while another stack works with it.
  await answer('DATABASE_URL', dropUnusedDatabase(url, `${FRESH_PREFIX}${name}`));
  return createDatabase(url, `${FRESH_PREFIX}${name}`);
}

/** The sentence for a server that cannot be used. The URL may hold a password: it is never repeated. */
async function answer<T>(setting: string, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(
      `${setting} is set, but its server cannot be used (${message || code}): put that right, or unset ${setting} to have one started for you.`,
    );
  }
}

/** Asks what every platform answers. The question is empty: whoever gets it refuses it, and nothing happens. */
async function servesPlatform(connection: NatsConnection): Promise<boolean> {
  try {
    await connection.request(channels.installResolve.subject(), undefined, { timeout: REQUEST_TIMEOUT_MS });
    return true;
  } catch (error) {
    if (error instanceof errors.RequestError && error.isNoResponders()) return false;
    return error instanceof errors.TimeoutError || Promise.reject(error);
  }
}

async function deleteStreams(connection: NatsConnection): Promise<void> {
  const manager = await answer('NATS_URL', jetstreamManager(connection, { timeout: REQUEST_TIMEOUT_MS }));
  for (const name of OWN_STREAMS) {
    await manager.streams.delete(name).catch((error: unknown) => {
      if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
    });
  }
}
