import { randomBytes } from 'node:crypto';
import { AlgaError } from '@alga/contracts';
import { type RunningServer, startNats } from '@alga/local-stack';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { openBlobStore } from './nats-blob-store.ts';

const BUCKET = 'blobs';
const LIMITS = { maxBytes: 8 * 1024 * 1024, deadlineMs: 5_000 };

let server: RunningServer;
let connection: NatsConnection;

beforeAll(async () => {
  server = await startNats();
  connection = await connect({ servers: server.url });
}, 120_000);

afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof AlgaError ? error.code : error;
}

/** Rewrites or removes what the store keeps, as a bad disk or a foreign writer would. */
async function chunkSequences(): Promise<number[]> {
  const streams = (await jetstreamManager(connection)).streams;
  const info = await streams.info(`OBJ_${BUCKET}`, { subjects_filter: `$O.${BUCKET}.C.>` });
  const sequences: number[] = [];
  for (let seq = info.state.first_seq; seq <= info.state.last_seq; seq++) {
    const message = await streams.getMessage(`OBJ_${BUCKET}`, { seq }).catch(() => null);
    if (message?.subject.startsWith(`$O.${BUCKET}.C.`)) sequences.push(seq);
  }
  return sequences;
}

describe('blob store on JetStream', () => {
  it('is created by whoever opens it first, and opened by all others at once', async () => {
    const [a, b] = await Promise.all([
      openBlobStore(connection, BUCKET, { create: true }),
      openBlobStore(connection, BUCKET, { create: true }),
    ]);
    await a.put('hello', Buffer.from('world'));
    expect(Buffer.from((await b.get('hello', LIMITS)) ?? []).toString()).toBe('world');
  });

  it.each([0, 1, 512 * 1024, 512 * 1024 + 1, 3 * 1024 * 1024])('gives back %i bytes as they were', async (size) => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    const bytes = randomBytes(size);
    await store.put(`size-${size}`, bytes);
    const read = await store.get(`size-${size}`, LIMITS);
    expect(read !== undefined && Buffer.compare(read, bytes) === 0).toBe(true);
  });

  it('has nothing under a name that was never written', async () => {
    expect(await (await openBlobStore(connection, BUCKET, { create: true })).get('absent', LIMITS)).toBeUndefined();
  });

  it('leaves an object alone that is there already', async () => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    const bytes = randomBytes(1000);
    await store.put('same', bytes);
    const before = await chunkSequences();
    await store.put('same', bytes);
    expect(await chunkSequences()).toEqual(before);
  });

  it('refuses to read more than the reader allows', async () => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    await store.put('large', randomBytes(2000));
    expect(await codeOf(store.get('large', { ...LIMITS, maxBytes: 1999 }))).toBe('artifact_rejected');
    expect(await store.get('large', { ...LIMITS, maxBytes: 2000 })).toHaveLength(2000);
  });

  it('gives up at the deadline when chunks are missing', async () => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    const known = new Set(await chunkSequences());
    const bytes = randomBytes(1000);
    await store.put('damaged', bytes);
    const streams = (await jetstreamManager(connection)).streams;
    for (const seq of (await chunkSequences()).filter((each) => !known.has(each))) {
      await streams.deleteMessage(`OBJ_${BUCKET}`, seq);
    }
    expect(await codeOf(store.get('damaged', { ...LIMITS, deadlineMs: 300 }))).toBe('deadline_exceeded');
  });

  it('refuses an object whose bytes do not have the digest they were stored with', async () => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    await store.put('two-chunks', randomBytes(600 * 1024));
    const last = (await chunkSequences()).at(-1) ?? 0;
    await (await jetstreamManager(connection)).streams.deleteMessage(`OBJ_${BUCKET}`, last);
    expect(await codeOf(store.get('two-chunks', LIMITS))).toBe('artifact_rejected');
  });

  it('repairs a damaged object when the same bytes are put again', async () => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    const bytes = randomBytes(600 * 1024);
    await store.put('repaired', bytes);
    const last = (await chunkSequences()).at(-1) ?? 0;
    await (await jetstreamManager(connection)).streams.deleteMessage(`OBJ_${BUCKET}`, last);
    await store.put('repaired', bytes);
    expect(Buffer.compare((await store.get('repaired', LIMITS)) ?? new Uint8Array(), bytes)).toBe(0);
  });

  it.each(['', '../up', 'a/b', '.hidden', 'a b', 'a*', 'x'.repeat(129)])('takes %j for no name', async (name) => {
    const store = await openBlobStore(connection, BUCKET, { create: true });
    await expect(store.get(name, LIMITS)).rejects.toBeInstanceOf(TypeError);
    await expect(store.put(name, new Uint8Array(1))).rejects.toBeInstanceOf(TypeError);
  });
});
