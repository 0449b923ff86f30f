import { LiftLimit } from './lifting.ts';
import type { CallLimits, HostResult, OutputStreamName } from './protocol.ts';
import type { Account, Overrun } from './turns.ts';

/** Guests' last words are at the end of what they wrote. */
const STDERR_TAIL_CHARS = 4_096;

/** One call, or one making of an instance, with what it has used. */
export class Call implements Account {
  readonly id: number;
  readonly wallDeadlineMs: number;
  cpuLeftMs: number;
  liftedLeft: number;
  overrun: Overrun | undefined;
  outputLeft: number;
  stderrTail = '';
  cancelled = false;
  ended = false;
  /** Host calls that the parent has not answered. */
  readonly waiting = new Map<number, (result: HostResult) => void>();
  readonly #suspensions = new Set<(error: Error) => void>();
  /** Made when first written to: most calls write nothing. */
  readonly #decoders: Partial<Record<OutputStreamName, TextDecoder>> = {};
  #hostCalls = 0;

  constructor(id: number, limits: CallLimits, nowMs: number) {
    this.id = id;
    this.wallDeadlineMs = nowMs + limits.wallMs;
    this.cpuLeftMs = limits.cpuMs;
    this.liftedLeft = limits.liftedBytes;
    this.outputLeft = limits.outputChars;
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

  /**
   * Throws the guest out of what it waits for. Its stack is freed; a guest cannot catch this. Needed wherever an import fails
   * that has no WIT result: jco 1.35 would leave the guest suspended for ever.
   */
  unwind(): void {
    for (const reject of this.#suspensions) reject(new Error('the call is over'));
    this.#suspensions.clear();
  }

  /** Text of what the guest writes, as far as the call may still write; empty where it may not. */
  output(stream: OutputStreamName, bytes: Uint8Array): string {
    this.#decoders[stream] ??= new TextDecoder();
    const text = this.#decoders[stream].decode(bytes, { stream: true }).slice(0, Math.max(0, this.outputLeft));
    this.outputLeft -= text.length;
    if (stream === 'stderr') this.stderrTail = (this.stderrTail + text).slice(-STDERR_TAIL_CHARS);
    return text;
  }
}
