import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import {
  activeElements,
  type Bytes,
  body,
  concat,
  exported,
  FUNCREF,
  functionType,
  global,
  I32,
  imported,
  limits,
  moduleOf,
  passiveData,
} from './testing/core-module.ts';
import { INTERRUPTED, interruptMemory, outcomeOf, patch, runPatched } from './testing/patched.ts';
import { type Memory, v8, type WasmGlobal } from './testing/v8.ts';

const TICK: Bytes = [0x10, 0x00];
const RUN: Bytes = [0x10, 0x01];
const ZERO: Bytes = [0x41, 0x00];
const i32 = (value: number): Bytes => [0x41, ...leb(value)];

/** A signed number of 32 bits, by hand: the encoder is what these specs stand on. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let index = 0; index < 4; index++) bytes.push(((value >> (7 * index)) & 0x7f) | 0x80);
  return [...bytes, (value >> 28) & 0x7f];
}

/**
 * A module whose function 1, `run`, is in table 0 and runs `code`; function 0, imported, is `tick`. Locals 0 to 2 are
 * of 32 bits.
 */
function ticking(code: Bytes, parts: Parameters<typeof moduleOf>[1] = {}): Uint8Array {
  return moduleOf([], {
    types: [functionType([], []), functionType([I32, I32], [I32, I32])],
    imports: [imported('env', 'tick', 0, [0x00])],
    functions: [0],
    tables: [concat([FUNCREF], limits(1))],
    memories: [limits(48, 48)],
    exports: [exported('run', 'function', 1)],
    elements: [activeElements([1])],
    dataCount: 1,
    code: [body([[3, I32]], code)],
    data: [passiveData(new Uint8Array(2 ** 21 + 5))],
    ...parts,
  });
}

/** Ways to run without end that begin each round, and it alone, with a tick. */
const ENDLESS: readonly (readonly [string, Bytes])[] = [
  ['a loop', [0x03, 0x40, ...TICK, 0x0c, 0x00, 0x0b]],
  ['a loop that goes on by br_if', [0x03, 0x40, ...TICK, ...i32(1), 0x0d, 0x00, 0x0b]],
  ['a loop that goes on by br_table', [0x03, 0x40, ...TICK, ...ZERO, 0x0e, 0x02, 0x00, 0x01, 0x01, 0x0b]],
  [
    'a loop within a block and an if',
    [0x02, 0x40, ...i32(1), 0x04, 0x40, 0x03, 0x40, ...TICK, 0x0c, 0x00, 0x0b, 0x0b, 0x0b],
  ],
  ['a loop with parameters', [...ZERO, ...ZERO, 0x03, 0x01, ...TICK, 0x0c, 0x00, 0x0b, 0x1a, 0x1a]],
  ['the outer of two loops', [0x03, 0x40, ...TICK, 0x02, 0x40, 0x0b, 0x03, 0x40, 0x0c, 0x01, 0x0b, 0x0b]],
  ['the inner of two loops', [0x03, 0x40, 0x03, 0x40, ...TICK, 0x0c, 0x00, 0x0b, 0x0c, 0x00, 0x0b]],
  ['a loop in an else', [...ZERO, 0x04, 0x40, 0x05, 0x03, 0x40, ...TICK, 0x0c, 0x00, 0x0b, 0x0b]],
  ['a call of itself', [...TICK, ...RUN]],
  ['an indirect call of itself', [...TICK, ...ZERO, 0x11, 0x00, 0x00]],
  ['a tail call of itself', [...TICK, 0x12, 0x01]],
  ['an indirect tail call of itself', [...TICK, ...ZERO, 0x13, 0x00, 0x00]],
];

/** Runs until the word, set by the tick of that number, stops it. @returns how many ticks there were. */
function ticksUntilStopped(bytes: Uint8Array, setAt: number): number {
  let ticks = 0;
  const running = runPatched(bytes, {
    env: {
      tick: () => {
        ticks++;
        if (ticks === setAt) running.word[0] = -0x8000_0000;
        if (ticks > setAt) throw new Error('it went on');
      },
    },
  });
  expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
  return ticks;
}

describe('the interrupt word, once it is negative,', () => {
  it.each(ENDLESS)('stops %s before its next round', (_name, code) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (setAt) => {
        expect(ticksUntilStopped(ticking(code), setAt)).toBe(setAt);
      }),
      { numRuns: 10 },
    );
  });

  it.each(ENDLESS)('keeps %s from its first round', (_name, code) => {
    const tick = () => {
      throw new Error('it began');
    };
    const running = runPatched(ticking(code), { env: { tick } });
    running.word[0] = -1;
    expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
  });

  it.each([
    ['memory.fill', [...ZERO, ...ZERO, ...ZERO, 0xfc, 11, 0x00]],
    ['memory.copy', [...ZERO, ...ZERO, ...ZERO, 0xfc, 10, 0x00, 0x00]],
    ['memory.init', [...ZERO, ...ZERO, ...ZERO, 0xfc, 8, 0x00, 0x00]],
    ['memory.grow', [...ZERO, 0x40, 0x00, 0x1a]],
    ['table.fill', [...ZERO, 0xd0, FUNCREF, ...ZERO, 0xfc, 17, 0x00]],
    ['table.grow', [0xd0, FUNCREF, ...ZERO, 0xfc, 15, 0x00, 0x1a]],
    ['table.copy', [...ZERO, ...ZERO, ...ZERO, 0xfc, 14, 0x00, 0x00]],
  ])('stops a function at %s', (_name, code) => {
    const running = runPatched(ticking(code), { env: { tick: () => undefined } });
    expect(outcomeOf(running.exports, 'run')).toEqual({ result: undefined });
    running.word[0] = -1;
    expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
  });

  it.each<[string, Bytes]>([
    ['call', [0x10, 0x00]],
    ['call_indirect', [...ZERO, 0x11, 0x00, 0x00]],
    ['return_call', [0x12, 0x00]],
    ['return_call_indirect', [...ZERO, 0x13, 0x00, 0x00]],
  ])('stops a function whose only call is a %s, before it does anything', (_name, call) => {
    // Counts global 0 down to 0, one by each call.
    const countDown: Bytes = [0x23, 0x00, 0x45, 0x04, 0x40, 0x0f, 0x0b, 0x23, 0x00, ...i32(-1), 0x6a, 0x24, 0x00];
    const running = runPatched(
      moduleOf([...countDown, ...call], {
        tables: [concat([FUNCREF], limits(1))],
        globals: [global(I32, true, i32(100))],
        elements: [activeElements([0])],
      }),
    );
    const counter = running.exports['alga:g0'] as WasmGlobal;
    running.word[0] = -1;
    expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
    expect(counter.value).toBe(100);
    running.word[0] = 0;
    expect(outcomeOf(running.exports, 'run')).toEqual({ result: undefined });
    expect(counter.value).toBe(0);
  });

  it('stops a long function without loops or calls, of which others have many calls in a row', () => {
    const long = new Array<number>(1_000).fill(0x01);
    const running = runPatched(ticking(long), { env: { tick: () => undefined } });
    expect(outcomeOf(running.exports, 'run')).toEqual({ result: undefined });
    running.word[0] = -1;
    expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
  });

  it('stops a start function that loops, while the module is instantiated', () => {
    // Counts to a million, so that it ends where nothing stops it.
    const count: Bytes = [
      0x03,
      0x40,
      0x20,
      0x00,
      ...i32(1),
      0x6a,
      0x22,
      0x00,
      ...i32(1_000_000),
      0x48,
      0x0d,
      0x00,
      0x0b,
    ];
    const bytes = moduleOf([], { start: 0, code: [body([[1, I32]], count)] });
    runPatched(bytes);
    const interrupt = interruptMemory();
    new Int32Array(interrupt.buffer)[0] = -1;
    expect(() => runPatched(bytes, {}, interrupt)).toThrow(v8.RuntimeError);
  });
});

describe('the interrupt word, while it is not negative,', () => {
  it.each([0, 1, 0x7fff_ffff])('stops nothing: %i', (word) => {
    // Counts local 0 down from 1000, a tick each.
    const code: Bytes = [
      ...i32(1000),
      0x21,
      0x00,
      ...[0x03, 0x40, ...TICK, 0x20, 0x00, ...i32(-1), 0x6a, 0x22, 0x00, 0x0d, 0x00, 0x0b],
    ];
    let ticks = 0;
    const running = runPatched(ticking(code), { env: { tick: () => ticks++ } });
    running.word[0] = word;
    expect(outcomeOf(running.exports, 'run')).toEqual({ result: undefined });
    expect(ticks).toBe(1000);
  });

  it('is out of reach of the guest: its memory is not the one that loads and stores use, nor exported', () => {
    // i32.store of -1 at 0, in a module with a memory of its own.
    const running = runPatched(ticking([...ZERO, ...i32(-1), 0x36, 0x02, 0x00]), { env: { tick: () => undefined } });
    outcomeOf(running.exports, 'run');
    expect(running.word[0]).toBe(0);
    expect(new Int32Array(running.memory?.buffer ?? new ArrayBuffer(4))[0]).toBe(-1);
  });
});

// 256 MiB, the most that a guest can have: filling it for the first time takes tens of milliseconds.
const PAGES = 4_096;
const LENGTH = PAGES * 65_536;

describe('another thread', () => {
  /** Sets the word so long after the go, in a thread of its own. */
  async function watchdog(
    interrupt: Memory,
  ): Promise<{ go(delayMs: number): void; [Symbol.asyncDispose](): Promise<void> }> {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(
      `const { workerData: { word, shared }, parentPort } = require('node:worker_threads');
       parentPort.postMessage('ready');
       for (;;) {
         Atomics.wait(shared, 0, 0);
         const end = performance.now() + Atomics.load(shared, 0);
         while (performance.now() < end);
         Atomics.store(shared, 0, 0);
         Atomics.store(word, 0, -0x80000000);
       }`,
      { eval: true, workerData: { word: new Int32Array(interrupt.buffer), shared } },
    );
    await new Promise((resolve) => worker.once('message', resolve));
    return {
      go(delayMs) {
        Atomics.store(shared, 0, delayMs);
        Atomics.notify(shared, 0);
      },
      async [Symbol.asyncDispose]() {
        await worker.terminate();
      },
    };
  }

  it('stops one memory.fill of 256 MiB midway', async () => {
    const interrupt = interruptMemory();
    await using dog = await watchdog(interrupt);
    const fill = moduleOf([...ZERO, ...i32(0x11), ...i32(LENGTH), 0xfc, 11, 0x00], {
      memories: [limits(PAGES, PAGES)],
    });
    // The thread may be late, or early: what counts is a fill that was begun and not finished.
    let midway = false;
    for (let attempt = 1; attempt <= 20 && !midway; attempt++) {
      const running = runPatched(fill, {}, interrupt);
      running.word[0] = 0;
      dog.go(5 + attempt);
      const outcome = outcomeOf(running.exports, 'run');
      const bytes = new Uint8Array(running.memory?.buffer ?? new ArrayBuffer(0));
      midway = bytes[0] === 0x11 && bytes[LENGTH - 1] === 0;
      if (midway) expect(outcome).toEqual(INTERRUPTED);
    }
    expect(midway).toBe(true);
  });

  it.each([
    ['memory.fill', [...ZERO, ...i32(0x11), ...i32(LENGTH), 0xfc, 11, 0x00]],
    ['memory.copy downwards', [...ZERO, ...i32(1), ...i32(LENGTH - 1), 0xfc, 10, 0x00, 0x00]],
    ['memory.copy upwards', [...i32(1), ...ZERO, ...i32(LENGTH - 1), 0xfc, 10, 0x00, 0x00]],
  ])('stops a row of %s long before its end', async (_name, operation) => {
    const interrupt = interruptMemory();
    await using dog = await watchdog(interrupt);
    // A hundred in a row, without a loop: at 10 GB/s they take 2.5 s, and one of them 25 ms, or 100 the first time.
    const row = moduleOf(concat(...new Array<Bytes>(100).fill(operation)), { memories: [limits(PAGES, PAGES)] });
    const running = runPatched(row, {}, interrupt);
    dog.go(50);
    const begin = performance.now();
    expect(outcomeOf(running.exports, 'run')).toEqual(INTERRUPTED);
    // Tens of milliseconds; the rest is for a machine that is busy elsewhere.
    expect(performance.now() - begin).toBeLessThan(400);
  });
});

describe('a module without loops, calls or long operations', () => {
  it('is not given checks', () => {
    expect(patch(moduleOf([])).bytes).toEqual(moduleOf([]));
  });
});
