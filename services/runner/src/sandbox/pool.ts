import type { Instance } from './instance.ts';

/** Instances at rest per pool: as many calls as usually meet. */
const MAX_IDLE = 16;
/** Memories at rest in the whole sandbox: a dozen StarlingMonkey instances, or sixty QuickJS ones. */
const MAX_IDLE_BYTES = 128 * 1_048_576;

/**
 * Instances at rest. Each pool holds those of one install, one artifact and one memory limit; an instance that was
 * used by one install is never given to another.
 */
export class Pools {
  /** In the order of use, the least recent first. */
  readonly #pools = new Map<string, Instance[]>();
  #bytes = 0;

  /** An instance at its beginning, or undefined where none rests. */
  take(pool: string): Instance | undefined {
    const instances = this.#pools.get(pool);
    const instance = instances?.pop();
    if (instance !== undefined) this.#bytes -= instance.bytes;
    if (instances !== undefined) this.#touch(pool, instances);
    return instance;
  }

  /** Keeps an instance that has been reset, as far as there is room. */
  put(pool: string, instance: Instance): void {
    const instances = this.#pools.get(pool) ?? [];
    this.#touch(pool, instances);
    if (instances.length >= MAX_IDLE) return;
    instances.push(instance);
    this.#bytes += instance.bytes;
    while (this.#bytes > MAX_IDLE_BYTES && this.#dropOldest()) {
      // until it fits
    }
  }

  isEmpty(pool: string): boolean {
    return (this.#pools.get(pool)?.length ?? 0) === 0;
  }

  /** Forgets the pools whose key begins so. */
  dropAll(prefix: string): void {
    for (const [key, instances] of this.#pools) {
      if (!key.startsWith(prefix)) continue;
      for (const instance of instances) this.#bytes -= instance.bytes;
      this.#pools.delete(key);
    }
  }

  #touch(pool: string, instances: Instance[]): void {
    this.#pools.delete(pool);
    this.#pools.set(pool, instances);
  }

  #dropOldest(): boolean {
    for (const [key, instances] of this.#pools) {
      const oldest = instances.shift();
      if (instances.length === 0) this.#pools.delete(key);
      if (oldest === undefined) continue;
      this.#bytes -= oldest.bytes;
      return true;
    }
    return false;
  }
}
