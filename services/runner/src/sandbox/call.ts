import { monotonicMs } from './interruption.ts';
import { LiftLimit } from './lifting.ts';
import type { CallLimits, FromSandbox, HostResult, OutputStreamName } from './protocol.ts';
import type { Account, Overrun } from './turns.ts';
import { Written } from './written.ts';

/** One call, or one making of an instance, with what it has used. */
export class Call implements Account {
  readonly id: number;
  readonly wallDeadlineMs: number;
  cpuLeftMs: number;
  liftedLeft: number;
  overrun: Overrun | undefined;
  cancelled = false;
  /** Host calls that the parent has not answered. */
  readonly waiting = new Map<number, (result: HostResult) => void>();
  readonly #suspensions = new Set<(error: Error) => void>();
  readonly #timers = new Map<NodeJS.Timeout, () => void>();
  readonly #written: Written;
  #ended = false;
  #hostCalls = 0;

  /** @param tell takes what the guest writes. */
  constructor(id: number, limits: CallLimits, nowMs: number, tell: (message: FromSandbox) => void) {
    this.id = id;
    this.wallDeadlineMs = nowMs + limits.wallMs;
    this.cpuLeftMs = limits.cpuMs;
    this.liftedLeft = limits.liftedBytes;
    this.#written = new Written(id, limits.outputChars, tell);
  }

  /** The end of what the guest wrote on stderr. */
  get stderrTail(): string {
    return this.#written.stderrTail;
  }

  /** @throws LiftLimit where there is nothing left. */
  charge(bytes: number): void {
    this.liftedLeft -= bytes;
    if (this.liftedLeft >= 0) return;
    this.unwind();
    throw new LiftLimit('the guest hands too much to the host');
  }

  nextSequence(): number {
    return this.#hostCalls++;
  }

  /** What a suspended guest waits for: the answer, or the end of the call. */
  suspended(answer: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#suspensions.add(reject);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          this.#suspensions.delete(reject);
          settle(value);
        };
      answer.then(settled(resolve), settled(reject));
    });
  }

  /** Rings after `ms`, or at the call's deadline where that is sooner; never once the call has ended. */
  after(ms: number, ring: () => void): void {
    if (this.#ended) return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        ring();
      },
      Math.min(ms, this.wallDeadlineMs - monotonicMs()),
    );
    this.#timers.set(timer, ring);
  }

  /**
   * Throws the guest out of what it waits for, and brings its timers forward: one would keep it in memory until it rang. Its
   * stack is freed; a guest cannot catch this. Needed wherever an import fails that has no WIT result: jco 1.35 would leave the
   * guest suspended for ever.
   */
  unwind(): void {
    for (const reject of this.#suspensions) reject(new Error('the call is over'));
    this.#suspensions.clear();
    for (const ring of this.#clearTimers()) ring();
  }

  /** Nothing of the guest runs from here on. */
  end(): void {
    this.#ended = true;
    this.#clearTimers();
  }

  write(stream: OutputStreamName, bytes: Uint8Array): void {
    if (this.#isOutOfTime()) this.#written.drop();
    this.#written.add(stream, bytes);
  }

  turnEnded(): void {
    if (this.#isOutOfTime()) this.#written.drop();
    else this.#written.flush();
  }

  // The parent gives up at the deadline: what comes later is to nobody's use.
  #isOutOfTime(): boolean {
    return this.cancelled || this.overrun !== undefined || monotonicMs() >= this.wallDeadlineMs;
  }

  #clearTimers(): (() => void)[] {
    const rings = [...this.#timers.values()];
    for (const timer of this.#timers.keys()) clearTimeout(timer);
    this.#timers.clear();
    return rings;
  }
}
