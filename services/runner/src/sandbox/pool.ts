import type { Instance } from './instance.ts';

/** Instances at rest per pool. As many calls as a tenant may have at once, and the glue of each is 0.3 MB beside its memory. */
const MAX_IDLE = 128;
/** Memories at rest in the whole sandbox: a dozen StarlingMonkey instances, or a hundred and twenty QuickJS ones. */
const MAX_IDLE_BYTES = 192 * 1_048_576;
/** A burst that comes back within this time finds its instances ready. */
const REST_MS = 10_000;

/** What {@link Pools} asks of an instance. */
type Sized = Pick<Instance, 'bytes'>;

interface Resting<I extends Sized> {
  readonly instance: I;
  readonly sinceMs: number;
}

/**
 * Instances at rest. Each pool holds those of one install, one artifact and one memory limit; an instance that was
 * used by one install is never given to another. Times are monotonic, in ms.
 */
export class Pools<I extends Sized = Instance> {
  /** In the order of use, the least recent first; in each the same. */
  readonly #pools = new Map<string, Resting<I>[]>();
  #bytes = 0;

  /** Bytes of linear memory at rest. */
  get bytes(): number {
    return this.#bytes;
  }

  /** An instance at its beginning, or undefined where none rests. */
  take(pool: string): I | undefined {
    const resting = this.#pools.get(pool)?.pop();
    if (resting === undefined) return undefined;
    this.#bytes -= resting.instance.bytes;
    return resting.instance;
  }

  /** Keeps an instance that has been reset, as far as there is room. */
  put(pool: string, instance: I, nowMs: number): void {
    const resting = this.#pools.get(pool) ?? [];
    this.#pools.delete(pool);
    this.#pools.set(pool, resting);
    if (resting.length < MAX_IDLE) {
      resting.push({ instance, sinceMs: nowMs });
      this.#bytes += instance.bytes;
    }
    for (const [key, each] of this.#pools) {
      while (this.#bytes > MAX_IDLE_BYTES && each.length > 0) this.#dropOldest(key, each);
    }
  }

  isEmpty(pool: string): boolean {
    return (this.#pools.get(pool)?.length ?? 0) === 0;
  }

  /** Lets go of what has rested long, but for one instance of each pool. */
  trim(nowMs: number): void {
    for (const [key, resting] of this.#pools) {
      while (resting.length > 1 && nowMs - (resting[0]?.sinceMs ?? nowMs) > REST_MS) this.#dropOldest(key, resting);
    }
  }

  /** Forgets the pools whose key begins so. */
  dropAll(prefix: string): void {
    for (const [key, resting] of this.#pools) {
      if (!key.startsWith(prefix)) continue;
      while (resting.length > 0) this.#dropOldest(key, resting);
    }
  }

  #dropOldest(pool: string, resting: Resting<I>[]): void {
    this.#bytes -= resting.shift()?.instance.bytes ?? 0;
    if (resting.length === 0) this.#pools.delete(pool);
  }
}
