import { Redis } from 'ioredis';

/** A slower answer is worth less than none: the caller can always do without the cache. */
const OPERATION_TIMEOUT_MS = 50;
const CONNECT_TIMEOUT_MS = 2_000;
const MAX_RECONNECT_WAIT_MS = 1_000;
/** So many failures in a row, and no operation is tried until the pause is over. */
const FAILURES_TO_OPEN = 3;
const OPEN_MS = 1_000;

/** Bytes under keys, best effort: every operation ends within 50 ms and none throws. */
export interface SharedCache {
  /** Undefined: not there, or not to be had now. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** True: stored, for at most `ttlMs`. */
  set(key: string, value: Uint8Array, ttlMs: number): Promise<boolean>;
  /** True: the server said so. */
  delete(key: string): Promise<boolean>;
  close(): void;
}

interface RedisCacheOptions {
  readonly url: string;
  /** Told when the cache becomes unusable and when it is usable again; `reason` holds no value and no address. */
  readonly onChange: (available: boolean, reason: string) => void;
}

/** Opens a cache on Redis. Returns at once: a server that is down now is used as soon as it answers. */
export function openRedisCache(options: RedisCacheOptions): SharedCache {
  const client = new Redis(options.url, {
    commandTimeout: OPERATION_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    disconnectTimeout: OPERATION_TIMEOUT_MS, // of 2 s, it would keep the process up for as long
    // A command for a server that is away fails at once: waiting or repeating would break the 50 ms.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_WAIT_MS),
  });
  const breaker = new Breaker(options.onChange);
  // Without a listener ioredis writes connection errors to the console.
  client.on('error', (error: Error) => breaker.failed(reasonOf(error)));

  const attempt = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    if (!breaker.admits(performance.now())) return otherwise;
    try {
      const result = await work();
      breaker.succeeded();
      return result;
    } catch (error) {
      breaker.failed(reasonOf(error));
      return otherwise;
    }
  };
  return {
    get: (key) => attempt(async () => (await client.getBuffer(key)) ?? undefined, undefined),
    set: (key, value, ttlMs) =>
      attempt(async () => {
        await client.set(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength), 'PX', Math.ceil(ttlMs));
        return true;
      }, false),
    delete: (key) =>
      attempt(async () => {
        await client.del(key);
        return true;
      }, false),
    close: () => client.disconnect(),
  };
}

/** Closed: every operation is tried. Open: none, until the pause is over; then one decides. */
class Breaker {
  #failures = 0;
  #retryAt = 0;
  readonly #onChange: RedisCacheOptions['onChange'];

  constructor(onChange: RedisCacheOptions['onChange']) {
    this.#onChange = onChange;
  }

  get #closed(): boolean {
    return this.#failures < FAILURES_TO_OPEN;
  }

  admits(now: number): boolean {
    if (this.#closed) return true;
    if (now < this.#retryAt) return false;
    this.#retryAt = now + OPEN_MS; // this one is the probe; the others go on without
    return true;
  }

  succeeded(): void {
    const wasOpen = !this.#closed;
    this.#failures = 0;
    if (wasOpen) this.#onChange(true, 'answers again');
  }

  failed(reason: string): void {
    this.#failures += 1;
    if (this.#failures === FAILURES_TO_OPEN) this.#onChange(false, reason);
    if (!this.#closed) this.#retryAt = performance.now() + OPEN_MS;
  }
}

// The message of a foreign error may hold a command with its arguments; its kind is enough.
function reasonOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'unknown';
}
