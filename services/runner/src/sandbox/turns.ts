// One guest at a time: everything that lets guest code run on goes through here, one event per turn of the event loop.
// Node runs all microtasks of a turn before the next one begins, and a guest's continuation is made of microtasks only, so
// whatever guest code runs in a turn belongs to the call that the turn was given to. That makes time accountable and the
// interruption exact; and a cancellation is read between two turns, however many calls wait.
import { type Interruption, monotonicMs } from './interruption.ts';

/** How the time of a call is over. */
export type Overrun = 'timeout' | 'cpu_exceeded';

/** What a call has used and may use. */
export interface Account {
  /** Monotonic clock, ms. */
  readonly wallDeadlineMs: number;
  /** Processor time that is left, ms. */
  cpuLeftMs: number;
  /** Worth of what may still be handed to the host. */
  liftedLeft: number;
  /** Set once: an interrupted guest does not go on. */
  overrun: Overrun | undefined;
  /** Throws the guest out of what it waits for. */
  unwind(): void;
  /** The guest has stopped, for now or for good. */
  turnEnded(): void;
}

interface Turn<C extends Account> {
  readonly call: C | undefined;
  readonly work: () => void;
}

interface SpareTurn<C extends Account> {
  readonly open: () => C;
  readonly work: () => void;
}

/** The turns of a sandbox. `C`: what is known of a call. */
export class Turns<C extends Account> {
  readonly #interruption: Interruption;
  readonly #waiting: Turn<C>[] = [];
  /** Done when nothing else waits. */
  readonly #spareTime: SpareTurn<C>[] = [];
  #scheduled = false;
  #current: C | undefined;
  #cpuAtBegin = 0;

  constructor(interruption: Interruption) {
    this.#interruption = interruption;
  }

  /** The call whose guest may run now. */
  get current(): C | undefined {
    return this.#current;
  }

  /** Gives a turn to `call`; undefined: to our own work. */
  give(call: C | undefined, work: () => void): void {
    this.#waiting.push({ call, work });
    this.#schedule();
  }

  /**
   * Does `work` when no call waits for its turn.
   * @param open makes the account when the turn has come, so that its time begins then.
   */
  giveSpare(open: () => C, work: () => void): void {
    this.#spareTime.push({ open, work });
    this.#schedule();
  }

  /** The guest of the running turn has stopped: it waits for the host, or it has ended. */
  end(): void {
    const call = this.#current;
    if (call === undefined) return;
    this.#current = undefined;
    const interrupted = this.#interruption.end();
    call.cpuLeftMs -= threadCpuMs() - this.#cpuAtBegin;
    // Before the verdict: what a guest wrote ahead of its endless loop is what its author looks for.
    call.turnEnded();
    if (interrupted !== undefined) call.overrun ??= interrupted === 'cpu' ? 'cpu_exceeded' : 'timeout';
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#take());
  }

  #take(): void {
    this.#scheduled = false;
    // A guest that stopped without a word, as one whose glue threw, ends here.
    this.end();
    const turn = this.#waiting.shift() ?? this.#takeSpare();
    if (turn === undefined) return;
    if (this.#waiting.length + this.#spareTime.length > 0) this.#schedule();
    if (turn.call !== undefined) this.#begin(turn.call);
    turn.work();
  }

  #takeSpare(): Turn<C> | undefined {
    const spare = this.#spareTime.shift();
    return spare && { call: spare.open(), work: spare.work };
  }

  #begin(call: C): void {
    this.#current = call;
    this.#cpuAtBegin = threadCpuMs();
    this.#interruption.begin(call.wallDeadlineMs, call.cpuLeftMs);
    // The watchdog misses slices that are shorter than its look; a guest of many such would outlast its limits.
    if (call.cpuLeftMs <= 0) call.overrun ??= 'cpu_exceeded';
    else if (monotonicMs() >= call.wallDeadlineMs) call.overrun ??= 'timeout';
    else return;
    call.unwind();
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
