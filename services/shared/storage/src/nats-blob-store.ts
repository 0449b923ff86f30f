import { AlgaError } from '@alga/contracts';
import { jetstream } from '@nats-io/jetstream';
import { type ObjectStore, Objm, StorageType, setSha256Backend } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';

/** Large immutable objects under names that their writers derive from the content. */
export interface BlobStore {
  /**
   * Stores the bytes under the name, and returns when they are stored. Bytes that are there already, whole, are left
   * alone, so that nobody who is reading them is disturbed.
   * @throws AlgaError `unavailable`.
   */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /**
   * The bytes under the name, their digest verified; undefined: there is no such object.
   * @throws AlgaError `artifact_rejected` (damaged, or over `maxBytes`), `deadline_exceeded`, `unavailable`.
   */
  get(
    name: string,
    limits: { readonly maxBytes: number; readonly deadlineMs: number },
  ): Promise<Uint8Array | undefined>;
}

/** What a name may be: the `object` of the contracts, minus names that a file system would take for more. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Half the smallest `max_payload` we run with, so that a chunk and its headers always fit. */
const CHUNK_BYTES = 512 * 1024;
/** A store that takes longer for the largest artifact is a fault; each chunk is acknowledged on its own. */
const PUT_DEADLINE_MS = 60_000;
/** What is not read back by then has lost chunks. */
const READ_BACK_DEADLINE_MS = 10_000;
/** Another process may be the one that is allowed to create the bucket, and it may still be starting. */
const OPEN_DEADLINE_MS = 20_000;
const RETRY_WAIT_MS = 250;

/**
 * Opens a JetStream object store. `create`: makes it where it does not exist yet; who may only read waits for it.
 * @throws AlgaError `unavailable` when there is none within 20 s.
 */
export async function openBlobStore(
  connection: NatsConnection,
  bucket: string,
  { create }: { readonly create: boolean },
): Promise<BlobStore> {
  setSha256Backend('native'); // the default, written in JavaScript, is several times slower and blocks the thread
  // Without the check of the account: it would need a right that nothing else here needs.
  const objects = new Objm(jetstream(connection, { checkAPI: false }));
  const deadline = performance.now() + OPEN_DEADLINE_MS;
  for (;;) {
    try {
      return new NatsBlobStore(await (create ? openOrCreate(objects, bucket) : objects.open(bucket)));
    } catch (cause) {
      if (performance.now() > deadline)
        throw new AlgaError('unavailable', 'The bundle store does not answer.', { cause });
      await new Promise((resolve) => setTimeout(resolve, RETRY_WAIT_MS));
    }
  }
}

// Opening needs no right to create, so it comes first; creating what exists with the same settings is harmless.
async function openOrCreate(objects: Objm, bucket: string): Promise<ObjectStore> {
  try {
    return await objects.open(bucket);
  } catch {
    return objects.create(bucket, { storage: StorageType.File });
  }
}

class NatsBlobStore implements BlobStore {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkName(name);
    if (await this.#holds(name, bytes)) return;
    const deadline = AbortSignal.timeout(PUT_DEADLINE_MS);
    try {
      // An abort fails the source, upon which the library removes the chunks it has sent.
      await before(
        deadline,
        this.#store.put({ name, options: { max_chunk_size: CHUNK_BYTES } }, inChunks(bytes, deadline)),
      );
    } catch (cause) {
      throw new AlgaError('unavailable', 'The bundle store did not take the object.', { cause });
    }
  }

  async get(
    name: string,
    { maxBytes, deadlineMs }: { readonly maxBytes: number; readonly deadlineMs: number },
  ): Promise<Uint8Array | undefined> {
    checkName(name);
    const deadline = AbortSignal.timeout(deadlineMs);
    let found: Awaited<ReturnType<ObjectStore['get']>>;
    try {
      found = await before(deadline, this.#store.get(name));
    } catch (cause) {
      throw failure(deadline, cause);
    }
    if (found === null) return undefined;
    found.error.catch(() => undefined); // the same failure reaches the reader
    const reader = found.data.getReader();
    try {
      return await readWhole(reader, found.info.size, maxBytes, deadline);
    } finally {
      // Ends the consumer when the object was not read to its end; a failed stream has ended it already.
      await reader.cancel().catch(() => undefined);
    }
  }

  /** Whether the very bytes are stored and can be read back. */
  async #holds(name: string, bytes: Uint8Array): Promise<boolean> {
    try {
      const stored = await this.get(name, { maxBytes: bytes.byteLength, deadlineMs: READ_BACK_DEADLINE_MS });
      return stored !== undefined && Buffer.compare(stored, bytes) === 0;
    } catch (error) {
      // What is there is damaged, or lost its chunks: writing it again is the repair.
      if (error instanceof AlgaError && error.code !== 'unavailable') return false;
      throw error;
    }
  }
}

async function readWhole(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  size: number,
  maxBytes: number,
  deadline: AbortSignal,
): Promise<Uint8Array> {
  if (size > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    let next: Awaited<ReturnType<typeof reader.read>>;
    try {
      next = await before(deadline, reader.read());
    } catch (cause) {
      // A stream that fails by itself failed its digest or lost its consumer; in neither case are the bytes good.
      throw deadline.aborted
        ? failure(deadline, cause)
        : new AlgaError('artifact_rejected', 'The stored object is damaged.', { cause });
    }
    if (next.done) return Buffer.concat(chunks, total);
    total += next.value.byteLength;
    if (total > maxBytes) throw tooLarge(maxBytes); // the size in the metadata is only a claim
    chunks.push(next.value);
  }
}

// The library would cut one large buffer by copying its rest for every chunk.
function inChunks(bytes: Uint8Array, signal: AbortSignal): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      if (signal.aborted) return controller.error(signal.reason);
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.subarray(offset, offset + CHUNK_BYTES));
      offset += CHUNK_BYTES;
    },
  });
}

/** The promise's outcome, or a rejection as soon as the signal fires; its own late failure is then nobody's. */
async function before<T>(deadline: AbortSignal, promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(deadline.reason);
  deadline.addEventListener('abort', onAbort, { once: true });
  if (deadline.aborted) onAbort();
  try {
    return await Promise.race([promise, expired]);
  } finally {
    deadline.removeEventListener('abort', onAbort);
  }
}

const failure = (deadline: AbortSignal, cause: unknown): AlgaError =>
  deadline.aborted
    ? new AlgaError('deadline_exceeded', 'The bundle store did not answer in time.', { cause })
    : new AlgaError('unavailable', 'The bundle store does not answer.', { cause });

const tooLarge = (limit: number): AlgaError =>
  new AlgaError('artifact_rejected', `The stored object is over ${limit} bytes.`, { limit });

function checkName(name: string): void {
  if (!NAME.test(name)) throw new TypeError('a name in the bundle store is one plain word');
}
