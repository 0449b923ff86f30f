/** One call as its caller saw it. Times are of one monotonic clock, in ms. */
export interface CallRecord {
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly status: number;
  /** Generation of the key that the extension used; undefined when it gave no answer of that kind. */
  readonly generation: number | undefined;
}

/** When a generation was acknowledged, on the clock of the calls. */
interface Acknowledgement {
  readonly at: number;
  readonly generation: number;
}

/**
 * Calls that were sent after a generation had been acknowledged and still read an older one (I1). A call that was under
 * way at the acknowledgement may have read either.
 */
export function staleReads(calls: readonly CallRecord[], acknowledgements: readonly Acknowledgement[]): CallRecord[] {
  return calls.filter(({ sentAt, generation }) => {
    const floor = Math.max(0, ...acknowledgements.filter(({ at }) => at <= sentAt).map((ack) => ack.generation));
    return generation !== undefined && generation < floor;
  });
}

/** Keeps `callers` calls under way until `done` says that enough were made; resolves when the last one has ended. */
export async function callConcurrently(
  callers: number,
  call: () => Promise<{ status: number; generation: number | undefined }>,
  done: (finished: readonly CallRecord[]) => boolean,
): Promise<CallRecord[]> {
  const finished: CallRecord[] = [];
  const caller = async () => {
    while (!done(finished)) {
      const sentAt = performance.now();
      // Whatever goes wrong on the way is a failed call, not a failed run.
      const { status, generation } = await call().catch(() => ({ status: 0, generation: undefined }));
      finished.push({ sentAt, answeredAt: performance.now(), status, generation });
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return finished;
}

/** The value below which the given share of the samples lies. @throws RangeError for no samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}
