import fc from 'fast-check';
import { type Outcome, outcomeOf, runOriginal, runPatched } from './testing/patched.ts';
import { MUTABLE_GLOBALS, program } from './testing/program.ts';
import { type Exports, type Memory, v8, type WasmGlobal } from './testing/v8.ts';

/** 32 bits, 64 bits, a number: what `run` takes. */
const call = fc.tuple(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.double());

interface Course {
  readonly outcomes: Outcome[];
  readonly log: number[];
  readonly globals: unknown[];
  readonly memory: Buffer;
}

function follow(
  run: (env: { readonly env: { readonly log: (number: number) => void } }) => {
    readonly exports: Exports;
    readonly memory: Memory | undefined;
  },
  calls: readonly (readonly unknown[])[],
  globalName: string,
): Course {
  const log: number[] = [];
  const { exports, memory } = run({ env: { log: (number) => log.push(number) } });
  const fuel = exports.g0 as WasmGlobal;
  const full = fuel.value;
  const outcomes = calls.map((operands) => {
    fuel.value = full;
    return outcomeOf(exports, 'run', ...operands);
  });
  return {
    outcomes,
    log,
    globals: MUTABLE_GLOBALS.map((index) => (exports[`${globalName}${index}`] as WasmGlobal).value),
    memory: Buffer.from(memory?.buffer ?? new ArrayBuffer(0)),
  };
}

describe('a patched module', () => {
  it('does what it did before: results, traps, calls of the host, globals and memory', () => {
    const seen = { results: 0, traps: new Map<string, number>() };
    fc.assert(
      fc.property(program(), fc.array(call, { minLength: 1, maxLength: 3 }), (bytes, calls) => {
        expect(v8.validate(bytes)).toBe(true);
        const before = follow((env) => runOriginal(bytes, env), calls, 'g');
        const after = follow((env) => runPatched(bytes, env), calls, 'alga:g');
        expect({ ...after, memory: undefined }).toEqual({ ...before, memory: undefined });
        expect(after.memory.equals(before.memory)).toBe(true);
        for (const outcome of before.outcomes) {
          if ('trap' in outcome) seen.traps.set(outcome.trap, (seen.traps.get(outcome.trap) ?? 0) + 1);
          else seen.results++;
        }
      }),
      { numRuns: 400 },
    );
    // The programs are worth comparing: they come to an end, and they trap in every way but by `unreachable`.
    expect(seen.results).toBeGreaterThan(100);
    expect(seen.traps.size).toBeGreaterThan(4);
    expect(seen.traps.has('unreachable')).toBe(false);
  });
});
