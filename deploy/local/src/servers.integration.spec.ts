import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jest } from '@jest/globals';
import { createUser } from '@nats-io/nkeys';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { freePort, onFreePort } from './free-port.ts';
import { startNats } from './nats-server.ts';
import { startPostgres } from './postgres-server.ts';
import { identify } from './process-identity.ts';
import { startRedis } from './redis-server.ts';
import { ProcessStartError } from './supervised-process.ts';
import { testDatabase } from './test-database.ts';
import { waitUntil } from './wait-until.ts';

jest.setTimeout(120_000);

const query = async (url: string, text: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
};

describe('local servers', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-servers-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('NATS answers requests, keeps streams, and leaves neither process nor data when stopped', async () => {
    const nats = await startNats();
    const connection = await connect({ servers: nats.url });
    expect(connection.info).toMatchObject({ jetstream: true, max_payload: 1024 * 1024 });
    await connection.close();
    await nats.stop();
    await nats.stop();
    expect(await identify(nats.pid)).toBeUndefined();
    expect(existsSync(path.dirname(nats.logFile))).toBe(false);
  });

  it('NATS lets each user do what its permissions say, and a stranger nothing', async () => {
    const [asker, answerer, stranger] = [createUser(), createUser(), createUser()];
    const nats = await startNats({
      users: [
        { nkey: asker.getPublicKey(), publish: { allow: ['work.>'] }, subscribe: { allow: ['_INBOX.>'] } },
        {
          nkey: answerer.getPublicKey(),
          publish: { deny: ['>'] },
          subscribe: { allow: ['work.> workers'] },
          allowResponses: { max: 1, expires: '5s' },
        },
      ],
    });
    try {
      const join = (user: typeof asker) =>
        connect({
          servers: nats.url,
          authenticator: nkeyAuthenticator(user.getSeed()),
          reconnect: false,
          maxReconnectAttempts: 0,
        });
      const [from, to] = await Promise.all([join(asker), join(answerer)]);
      to.subscribe('work.>', { queue: 'workers', callback: (_, message) => void message.respond('done') });
      await to.flush();
      expect((await from.request('work.a', '', { timeout: 5_000 })).string()).toBe('done');
      const denied = new Promise<Error | null>((resolve) => {
        to.subscribe('work.>', { callback: (error) => resolve(error) });
      });
      expect((await denied)?.message).toMatch(/permissions violation/i);
      await expect(join(stranger)).rejects.toThrow(/authorization/i);
      await Promise.all([from.close(), to.close()]);
    } finally {
      await nats.stop();
    }
  });

  it('Redis wants its password, keeps nothing on disk, and comes back under the same URL', async () => {
    const port = await freePort();
    const first = await startRedis({ dir, port, maxmemory: '16mb' });
    const client = new Redis(first.url);
    expect(await client.config('GET', 'maxmemory')).toEqual(['maxmemory', String(16 * 1024 * 1024)]);
    client.disconnect();
    const stranger = new Redis({ port: first.port, host: '127.0.0.1' });
    stranger.on('error', () => undefined);
    await expect(stranger.get('x')).rejects.toThrow(/NOAUTH/);
    stranger.disconnect();
    await first.stop();
    expect(await identify(first.pid)).toBeUndefined();
    const second = await startRedis({ dir, port });
    expect(second.url).toBe(first.url);
    expect(existsSync(path.join(dir, 'dump.rdb'))).toBe(false);
    await second.stop();
  });

  it('a start goes on to another port when somebody was faster, and says so when the port was asked for', async () => {
    // It accepts and never answers: a probe without a bound would wait for ever.
    const sockets = new Set<Socket>();
    const occupant = createServer((socket) => sockets.add(socket));
    const port = await new Promise<number>((resolve) => {
      occupant.listen(0, '127.0.0.1', () => resolve((occupant.address() as { port: number }).port));
    });
    try {
      await expect(startRedis({ dir, port })).rejects.toThrow(ProcessStartError);
      const redis = await onFreePort(port, (chosen) => startRedis({ dir, port: chosen }));
      expect(redis.port).not.toBe(port);
      await redis.stop();
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => occupant.close(resolve));
    }
  });

  it('Postgres keeps its data over a stop and over a kill of the whole group', async () => {
    const first = await startPostgres({ dir });
    const url = await first.createDatabase('kept');
    expect(await first.createDatabase('kept')).toBe(url);
    await query(url, 'CREATE TABLE t AS SELECT 1 AS n');
    await first.stop();
    expect(await identify(first.pid)).toBeUndefined();

    // In a process of its own, killed with its whole group: the postmaster dies with its pid file left behind.
    const source = `
      import { startPostgres } from ${JSON.stringify(path.join(import.meta.dirname, 'postgres-server.ts'))};
      const server = await startPostgres({ dir: ${JSON.stringify(dir)} });
      server.kill('SIGKILL');
      process.kill(process.pid, 'SIGKILL');`;
    const parent = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source],
      { stdio: 'ignore' },
    );
    await new Promise((resolve) => parent.once('exit', resolve));
    expect(existsSync(path.join(dir, 'cluster/postmaster.pid'))).toBe(true);

    const second = await startPostgres({ dir });
    const kept = new URL(second.url);
    kept.pathname = '/kept';
    expect(await query(kept.href, 'SELECT n FROM t')).toEqual([{ n: 1 }]);
    await second.dropDatabase('kept');
    await expect(query(kept.href, 'SELECT 1')).rejects.toThrow(/does not exist/);
    await second.stop();
  });

  it('Postgres starts although the pid in its pid file belongs to another program, but not beside a living Postgres', async () => {
    const first = await startPostgres({ dir });
    await expect(startPostgres({ dir })).rejects.toThrow(`Another Postgres (pid ${first.pid}) runs on`);
    const pidFile = path.join(dir, 'cluster/postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await first.stop();
    await writeFile(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'));
    const second = await startPostgres({ dir });
    await second.stop();
  });

  it('Postgres finishes a data folder whose making was interrupted', async () => {
    const first = await startPostgres({ dir });
    await first.stop();
    await rm(path.join(dir, 'initialised'));
    await rm(path.join(dir, 'cluster/global'), { recursive: true });
    const second = await startPostgres({ dir });
    expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
    await second.stop();
  });

  it('a test database is fresh, and the last one dropped takes its server along', async () => {
    const given = process.env.ALGA_TEST_DATABASE_URL;
    delete process.env.ALGA_TEST_DATABASE_URL;
    try {
      const [a, b] = await Promise.all([testDatabase(), testDatabase()]);
      expect(a.url).not.toBe(b.url);
      const [row] = (await query(
        a.url,
        "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid",
      )) as { pid: number }[];
      const pid = row?.pid ?? 0;
      await a.drop();
      expect(await query(b.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
      process.env.ALGA_TEST_DATABASE_URL = b.url;
      const onGiven = await testDatabase();
      expect(new URL(onGiven.url).port).toBe(new URL(b.url).port);
      await onGiven.drop();
      await b.drop();
      expect(await waitUntil(async () => (await identify(pid)) === undefined, { deadlineMs: 5_000 })).toBe(true);
    } finally {
      delete process.env.ALGA_TEST_DATABASE_URL;
      if (given !== undefined) process.env.ALGA_TEST_DATABASE_URL = given;
    }
  });
});
