import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Interruption, judge, monotonicMs, SIGN_BIT, VERDICT, WORD } from './interruption.ts';

const FAR_MS = 60_000;

function wordsOf(interruption: Interruption): Int32Array {
  return new Int32Array(interruption.watchdogData.page);
}

/** What the watchdog does when it has decided against `slice`. */
function interrupt(words: Int32Array, slice: number): void {
  words[WORD.verdict] = VERDICT.wall;
  Atomics.compareExchange(words, WORD.slice, slice, slice | SIGN_BIT);
}

describe('the interruption word', () => {
  it('is negative, which is what patched code looks for, only while an interrupted slice runs', () => {
    const interruption = new Interruption();
    const words = wordsOf(interruption);
    interruption.begin(monotonicMs() + FAR_MS, FAR_MS);
    const slice = words[WORD.slice] ?? 0;
    expect(slice).toBeGreaterThan(0);
    interrupt(words, slice);
    expect(words[WORD.slice]).toBeLessThan(0);
    expect(interruption.end()).toBe('wall');
    expect(words[WORD.slice]).toBe(0);
  });

  it('never hits a slice by a decision about an earlier one, however the two threads interleave', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('begin', 'end', 'decide', 'act'), { maxLength: 60 }), (steps) => {
        const interruption = new Interruption();
        const words = wordsOf(interruption);
        let running: number | undefined;
        let decided: number | undefined;
        let due = false;
        for (const step of steps) {
          if (step === 'begin' && running === undefined) {
            interruption.begin(monotonicMs() + FAR_MS, FAR_MS);
            running = words[WORD.slice] ?? 0;
            due = false;
          } else if (step === 'end' && running !== undefined) {
            expect(interruption.end() !== undefined).toBe(due);
            running = undefined;
          } else if (step === 'decide' && running !== undefined) decided = running;
          else if (step === 'act' && decided !== undefined) {
            interrupt(words, decided);
            due ||= decided === running;
          }
          expect((words[WORD.slice] ?? 0) < 0).toBe(running !== undefined && due);
        }
      }),
    );
  });
});

describe('the time of a slice', () => {
  const ms = (max: number) => fc.double({ min: 1, max, noNaN: true });

  it('is over at its deadline or with its budget, and not before, however long the machine has been up', () => {
    fc.assert(
      fc.property(ms(1e12), ms(30_000), ms(30_000), (nowMs, wallMs, cpuMs) => {
        const interruption = new Interruption();
        const { page } = interruption.watchdogData;
        interruption.begin(nowMs + wallMs, cpuMs);
        expect(judge(page, nowMs, 0)).toBe(VERDICT.none);
        expect(judge(page, nowMs + wallMs, 0)).toBe(VERDICT.wall);
        expect(judge(page, nowMs, cpuMs)).toBe(VERDICT.cpu);
        expect(interruption.end()).toBeUndefined();
      }),
    );
  });

  it('is over from the start where no processor time is left', () => {
    const interruption = new Interruption();
    interruption.begin(monotonicMs() + FAR_MS, 0);
    expect(wordsOf(interruption)[WORD.slice]).toBeLessThan(0);
    expect(interruption.end()).toBe('cpu');
  });
});

describe('the watchdog thread', () => {
  let worker: Worker;
  let interruption: Interruption;

  beforeEach(async () => {
    interruption = new Interruption();
    worker = new Worker(new URL('./watchdog-thread.ts', import.meta.url), { workerData: interruption.watchdogData });
    await new Promise((resolve) => worker.once('message', resolve));
  });

  afterEach(() => worker.terminate());

  /** Holds the thread as a guest would, until it is interrupted. */
  function loop(maxMs: number): number {
    const words = wordsOf(interruption);
    const begun = monotonicMs();
    while (Atomics.load(words, WORD.slice) > 0 && monotonicMs() - begun < maxMs) {
      // what patched code does at a loop head
    }
    return monotonicMs() - begun;
  }

  it('interrupts a slice at its deadline, with the reason', () => {
    interruption.begin(monotonicMs() + 50, FAR_MS);
    const took = loop(5_000);
    expect(interruption.end()).toBe('wall');
    expect(took).toBeGreaterThanOrEqual(45);
  });

  it('interrupts a slice that has used up its processor time', () => {
    interruption.begin(monotonicMs() + FAR_MS, 50);
    loop(5_000);
    expect(interruption.end()).toBe('cpu');
  });

  it('wakes from its sleep for the slice that comes after a pause', async () => {
    const words = wordsOf(interruption);
    while (Atomics.load(words, WORD.asleep) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    interruption.begin(monotonicMs() + 20, FAR_MS);
    loop(5_000);
    expect(interruption.end()).toBe('wall');
  });

  it('leaves alone what is in time', () => {
    for (let slice = 0; slice < 50; slice++) {
      interruption.begin(monotonicMs() + FAR_MS, FAR_MS);
      loop(2);
      expect(interruption.end()).toBeUndefined();
    }
  });
});
