import { channels, STREAMS } from '@alga/contracts';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { createDatabase } from './databases.ts';
import { takeDatabase, takeNats, takeRedis } from './given-servers.ts';
import { startNats } from './nats-server.ts';
import { type RunningPostgres, startPostgres } from './postgres-server.ts';
import { startRedis } from './redis-server.ts';
import type { RunningServer } from './running-server.ts';

describe('a given server', () => {
  let nats: RunningServer;
  let redis: RunningServer;
  let postgres: RunningPostgres;
  beforeAll(async () => {
    [nats, redis, postgres] = await Promise.all([startNats(), startRedis(), startPostgres({ durable: false })]);
  });
  afterAll(() => Promise.all([nats?.stop(), redis?.stop(), postgres?.stop()]));

  const onBus = async <T>(use: (connection: NatsConnection) => Promise<T>): Promise<T> => {
    const connection = await connect({ servers: nats.url });
    try {
      return await use(connection);
    } finally {
      await connection.close();
    }
  };
  const streams = () =>
    onBus(async (connection) => {
      const names: string[] = [];
      for await (const name of (await jetstreamManager(connection)).streams.names()) names.push(name);
      return names.sort();
    });

  it('loses our streams and nothing else when a stack begins with nothing, and none when it continues', async () => {
    await onBus(async (connection) => {
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: STREAMS.events.name, subjects: [...STREAMS.events.subjects] });
      await manager.streams.add({ name: 'SOMEBODY', subjects: ['somebody.>'] });
    });
    await takeNats({ url: nats.url, fresh: false });
    expect(await streams()).toEqual([STREAMS.events.name, 'SOMEBODY']);
    await takeNats({ url: nats.url, fresh: true });
    expect(await streams()).toEqual(['SOMEBODY']);
    await takeNats({ url: nats.url, fresh: true });
  });

  it.each([true, false])('is refused while another platform answers on it (to begin with nothing: %s)', (fresh) =>
    onBus(async (connection) => {
      connection.subscribe(channels.installResolve.subject(), { callback: (_, message) => void message.respond() });
      await connection.flush();
      await expect(takeNats({ url: nats.url, fresh })).rejects.toThrow(
        /^NATS_URL names a server on which another platform runs.+\.$/,
      );
    }),
  );

  it('loses our Redis keys and nothing else', async () => {
    const client = new Redis(redis.url);
    try {
      await client.mset({ 'alga:l2:acme:1': 'ours', 'algae:1': 'not ours', other: 'not ours' });
      await takeRedis({ url: redis.url, fresh: false });
      expect(await client.dbsize()).toBe(3);
      await takeRedis({ url: redis.url, fresh: true });
      expect((await client.keys('*')).sort()).toEqual(['algae:1', 'other']);
    } finally {
      client.disconnect();
    }
  });

  it('gives a stack that begins with nothing an empty database of its own, unless another one works with it', async () => {
    const continuing = await takeDatabase({ url: postgres.url, fresh: false }, 'registry');
    expect(continuing).toBe(await createDatabase(postgres.url, 'registry'));
    const fresh = await takeDatabase({ url: postgres.url, fresh: true }, 'registry');
    expect(new URL(fresh).pathname).toBe('/alga_demo_registry');
    const client = new pg.Client({ connectionString: fresh });
    await client.connect();
    await client.query('CREATE TABLE mark ()');
    await expect(takeDatabase({ url: postgres.url, fresh: true }, 'registry')).rejects.toThrow(
      /^DATABASE_URL is set, but its server cannot be used \(database "alga_demo_registry" is being accessed/,
    );
    await client.end();
    const again = new pg.Client({
      connectionString: await takeDatabase({ url: postgres.url, fresh: true }, 'registry'),
    });
    await again.connect();
    expect((await again.query("SELECT to_regclass('mark') AS mark")).rows).toEqual([{ mark: null }]);
    await again.end();
  });

  it.each([
    ['NATS_URL', () => takeNats({ url: 'nats://127.0.0.1:9', fresh: true })],
    ['REDIS_URL', () => takeRedis({ url: 'redis://:hunter2@127.0.0.1:9', fresh: true })],
    ['DATABASE_URL', () => takeDatabase({ url: 'postgres://u:hunter2@127.0.0.1:9/x', fresh: true }, 'registry')],
  ])('that does not answer is refused in one sentence that names %s and no password', async (setting, take) => {
    const refusal = (await take().catch((error: unknown) => error)) as Error;
    expect(refusal.message).toMatch(new RegExp(`^${setting} is set, but its server cannot be used \\(.+\\): .+\\.$`));
    expect(refusal.message).not.toMatch(/hunter2|\n/);
    expect(refusal.cause).toBeUndefined();
  });
});
