import { Call } from './call.ts';
import { type Component, failureOf } from './component.ts';
import { type Instance, StartsAboveLimit } from './instance.ts';
import { monotonicMs } from './interruption.ts';
import { isPlainData } from './plain-data.ts';
import { Pools } from './pool.ts';
import {
  type CallLimits,
  type FromSandbox,
  type GuestError,
  type HostResult,
  MAX_RESPONSE_BYTES,
  type ToSandbox,
} from './protocol.ts';
import type { Turns } from './turns.ts';

/** What making an instance ahead of its use may cost: many times what any engine takes, and little for a call that waits meanwhile. */
const WARM_UP_LIMITS: CallLimits = { wallMs: 250, cpuMs: 200, liftedBytes: 1_048_576, outputChars: 0 };
/** Discarded memories are freed by the collector, which does not see how large they are: it is called after this many bytes. */
const COLLECT_AFTER_BYTES = 64 * 1_048_576;

const TRIM_MS = 2_000;

type RunMessage = Extract<ToSandbox, { type: 'run' }>;

interface CallsParts {
  readonly turns: Turns<Call>;
  readonly tell: (message: FromSandbox) => void;
  readonly collectGarbage: () => void;
}

/** The calls of a sandbox, from message to message. */
export class Calls {
  readonly #parts: CallsParts;
  readonly #components = new Map<string, Component>();
  readonly #calls = new Map<number, Call>();
  readonly #pools = new Pools();
  /** Pools for which an instance will be made when there is time. */
  readonly #warming = new Set<string>();
  /** Pools for which that failed: not again, until a call has made one. */
  readonly #cold = new Set<string>();
  #discardedBytes = 0;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    setInterval(() => this.#pools.trim(monotonicMs()), TRIM_MS).unref();
  }

  add(artifact: string, component: Component): void {
    this.#components.set(artifact, component);
  }

  remove(artifact: string): void {
    this.#components.delete(artifact);
    this.#pools.dropAll(`${artifact}/`);
    for (const key of this.#cold) if (key.startsWith(`${artifact}/`)) this.#cold.delete(key);
  }

  run(message: RunMessage): void {
    const { turns } = this.#parts;
    const call = new Call(message.call, message.limits, monotonicMs(), this.#parts.tell);
    this.#calls.set(call.id, call);
    turns.give(call, () => {
      this.#run(call, message).catch(() => process.exit(70));
    });
  }

  answer(id: number, seq: number, result: HostResult): void {
    this.#calls.get(id)?.waiting.get(seq)?.(result);
  }

  /** Ends a call that waits. One that computes is interrupted by the watchdog or killed by the parent. */
  cancel(id: number): void {
    const call = this.#calls.get(id);
    // It has ended, and said so.
    if (call === undefined) return;
    const { turns } = this.#parts;
    call.cancelled = true;
    turns.give(call, () => call.unwind());
    // What waits for something that nobody will bring has not ended by then, and never would.
    turns.give(undefined, () => this.#forget(call));
  }

  #forget(call: Call): void {
    if (!this.#isOpen(call)) return;
    call.end();
    this.#calls.delete(call.id);
    this.#parts.tell({ type: 'cancelled', call: call.id });
  }

  #isOpen(call: Call): boolean {
    return this.#calls.get(call.id) === call;
  }

  async #run(call: Call, { artifact, pool, memoryPages, request }: RunMessage): Promise<void> {
    const component = this.#components.get(artifact);
    const key = `${artifact}/${pool}/${memoryPages}`;
    let instance: Instance | undefined;
    let end: FromSandbox;
    let isClean = false;
    try {
      if (component === undefined) throw new Error('not loaded');
      if (call.cancelled || call.overrun !== undefined) throw new Error('too late');
      instance = this.#pools.take(key) ?? (await this.#instantiate(key, component, memoryPages));
      this.#warmUp(key, component, memoryPages);
      const response = await instance.call(request);
      this.#parts.turns.end();
      isClean = true;
      end = isPlainData(response, MAX_RESPONSE_BYTES)
        ? { type: 'finished', call: call.id, response }
        : { type: 'failed', call: call.id, reason: 'response_too_large', message: '' };
    } catch (error) {
      this.#parts.turns.end();
      const exhausted = error instanceof StartsAboveLimit || instance?.isNearLimit(memoryPages) === true;
      const failure = failureOf(call, error, exhausted);
      const guest = await this.#explain(call, component);
      end = { type: 'failed', call: call.id, ...failure, ...(guest === undefined ? {} : { guest }) };
    }
    if (!this.#isOpen(call)) return;
    call.end();
    this.#calls.delete(call.id);
    this.#parts.tell(call.cancelled ? { type: 'cancelled', call: call.id } : end);
    // After the answer is on its way: the reset is not the caller's to wait for.
    if (instance !== undefined) this.#release(key, instance, isClean);
  }

  async #instantiate(key: string, component: Component, memoryPages: number): Promise<Instance> {
    const instance = await component.instantiate(memoryPages);
    this.#cold.delete(key);
    return instance;
  }

  // In another turn of the call: a source map may take long to read, and others wait meanwhile.
  async #explain(call: Call, component: Component | undefined): Promise<GuestError | undefined> {
    if (call.stderrTail === '' || call.cancelled) return undefined;
    const { turns } = this.#parts;
    await new Promise<void>((resolve) => turns.give(call, resolve));
    const guest = component?.explain(call.stderrTail, call.overrun === undefined);
    turns.end();
    return guest;
  }

  #release(key: string, instance: Instance, isClean: boolean): void {
    if (isClean && instance.reset()) this.#pools.put(key, instance, monotonicMs());
    else this.#discard(instance);
  }

  #discard(instance: Instance): void {
    this.#discardedBytes += instance.bytes;
    if (this.#discardedBytes < COLLECT_AFTER_BYTES) return;
    this.#discardedBytes = 0;
    this.#parts.turns.give(undefined, this.#parts.collectGarbage);
  }

  // One ahead, so that the next call of a burst finds an instance ready.
  #warmUp(key: string, component: Component, memoryPages: number): void {
    const { turns } = this.#parts;
    if (this.#warming.has(key) || this.#cold.has(key) || !this.#pools.isEmpty(key)) return;
    this.#warming.add(key);
    const open = (): Call => new Call(-1, WARM_UP_LIMITS, monotonicMs(), this.#parts.tell);
    turns.giveSpare(open, () => {
      this.#warming.delete(key);
      if (!this.#pools.isEmpty(key)) return;
      component.instantiate(memoryPages).then(
        (instance) => this.#pools.put(key, instance, monotonicMs()),
        // The call that needs it will fail in its own name.
        () => this.#cold.add(key),
      );
    });
  }
}
