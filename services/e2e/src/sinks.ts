import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Sink } from './leak-sweep.ts';

/** Every file below a folder. */
export async function fileSinks(dir: string): Promise<Sink[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (file) => ({ name: `log ${file.slice(dir.length + 1)}`, bytes: await readFile(file) })),
  );
}

/** Every key of a Redis with its serialised value. */
export async function redisSinks(url: string): Promise<Sink[]> {
  const redis = new Redis(url, { connectTimeout: 5_000, commandTimeout: 5_000, maxRetriesPerRequest: 1 });
  try {
    const sinks: Sink[] = [];
    for await (const keys of redis.scanStream({ count: 1000 })) {
      for (const key of keys as string[]) {
        const value = await redis.dumpBuffer(key);
        sinks.push({ name: `redis ${key}`, bytes: Buffer.concat([Buffer.from(`${key}\n`), value ?? Buffer.alloc(0)]) });
      }
    }
    return sinks;
  } finally {
    redis.disconnect();
  }
}

/** Every row of every table of a database, as text. */
export async function postgresSinks(name: string, url: string): Promise<Sink[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, statement_timeout: 10_000 });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
    );
    const sinks: Sink[] = [];
    for (const table of tables.rows) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${table.name} t`);
      sinks.push({ name: `postgres ${name} ${table.name}`, bytes: Buffer.from(rows.map(({ row }) => row).join('\n')) });
    }
    return sinks;
  } finally {
    await client.end();
  }
}

export interface NatsCapture {
  /** What was captured so far. */
  sink(): Sink;
  stop(): Promise<void>;
}

/** Everything that crosses the bus from now on: subject, reply, headers and payload of each message. */
export async function captureNats(url: string, nkeySeed: string | undefined): Promise<NatsCapture> {
  const connection = await connect({
    servers: url,
    name: 'capture',
    inboxPrefix: '_INBOX_observer',
    ...(nkeySeed === undefined ? {} : { authenticator: nkeyAuthenticator(new TextEncoder().encode(nkeySeed)) }),
  });
  const chunks: Buffer[] = [];
  connection.subscribe('>', {
    callback: (_, message) => {
      const headers = message.headers?.keys().map((key) => `${key}: ${message.headers?.values(key).join(', ')}`) ?? [];
      chunks.push(
        Buffer.from(`\n${message.subject} ${message.reply ?? ''}\n${headers.join('\n')}\n`),
        Buffer.from(message.data),
      );
    },
  });
  await connection.flush();
  return {
    sink: () => ({ name: 'nats capture', bytes: Buffer.concat(chunks) }),
    stop: () => connection.drain(),
  };
}
