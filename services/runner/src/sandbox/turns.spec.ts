import fc from 'fast-check';
import { Interruption, monotonicMs, SIGN_BIT, WORD } from './interruption.ts';
import { type Account, Turns } from './turns.ts';

const account = (): Account => ({
  wallDeadlineMs: monotonicMs() + 60_000,
  cpuLeftMs: 60_000,
  liftedLeft: 0,
  overrun: undefined,
  unwind: () => undefined,
  turnEnded: () => undefined,
});

/** Resolves in a turn of nobody's, after all that were given before. */
const afterTurns = (turns: Turns<Account>) => new Promise<void>((resolve) => turns.give(undefined, resolve));

describe('turns', () => {
  it('run every microtask of a call while that call is the current one, however many calls come at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 12 }), async (hops) => {
        const turns = new Turns<Account>(new Interruption());
        const strangers: number[] = [];
        const done = hops.map((count) => {
          const call = account();
          return new Promise<void>((resolve) => {
            turns.give(call, async () => {
              for (let hop = 0; hop < count; hop++) {
                if (turns.current !== call) strangers.push(hop);
                await null;
              }
              if (turns.current !== call) strangers.push(count);
              turns.end();
              resolve();
            });
          });
        });
        await Promise.all(done);
        expect(strangers).toEqual([]);
        expect(turns.current).toBeUndefined();
      }),
      { numRuns: 40 },
    );
  });

  it('end with the next turn where the guest stopped without a word', async () => {
    const turns = new Turns<Account>(new Interruption());
    turns.give(account(), () => undefined);
    let seen: Account | undefined = account();
    turns.give(undefined, () => {
      seen = turns.current;
    });
    await afterTurns(turns);
    expect(seen).toBeUndefined();
  });

  it('charge processor time to the call, and tell how its time was over', async () => {
    const interruption = new Interruption();
    const turns = new Turns<Account>(interruption);
    const call = account();
    turns.give(call, () => {
      const end = performance.now() + 20;
      while (performance.now() < end) {
        // computing
      }
      const words = new Int32Array(interruption.watchdogData.page);
      words[WORD.slice] = (words[WORD.slice] ?? 0) | SIGN_BIT;
      turns.end();
    });
    await afterTurns(turns);
    expect(call.cpuLeftMs).toBeLessThan(60_000 - 5);
    expect(call.overrun).toBe('timeout');
  });

  it.each([
    ['processor time', { cpuLeftMs: 0 }, 'cpu_exceeded'],
    ['time', { wallDeadlineMs: 0 }, 'timeout'],
  ])('throw a guest out that has no %s left, before it runs on', async (_name, spent, overrun) => {
    const turns = new Turns<Account>(new Interruption());
    const order: string[] = [];
    const call: Account = { ...account(), ...spent, unwind: () => order.push('unwound') };
    turns.give(call, () => order.push(`ran on: ${call.overrun}`));
    await afterTurns(turns);
    expect(order).toEqual(['unwound', `ran on: ${overrun}`]);
  });

  it('tell the call of the end of each, before the verdict on it', async () => {
    const interruption = new Interruption();
    const turns = new Turns<Account>(interruption);
    const seen: unknown[] = [];
    const call: Account = { ...account(), turnEnded: () => seen.push(call.overrun) };
    const words = new Int32Array(interruption.watchdogData.page);
    turns.give(call, () => turns.end());
    turns.give(call, () => {
      words[WORD.slice] = (words[WORD.slice] ?? 0) | SIGN_BIT;
    });
    await afterTurns(turns);
    expect(seen).toEqual([undefined, undefined]);
    expect(call.overrun).toBe('timeout');
  });

  it('do spare work only when no call waits', async () => {
    const turns = new Turns<Account>(new Interruption());
    const order: string[] = [];
    const spare = new Promise<void>((resolve) => {
      turns.giveSpare(account, () => {
        order.push('spare');
        resolve();
      });
    });
    turns.give(account(), () => order.push('first'));
    turns.give(account(), () => order.push('second'));
    await spare;
    expect(order).toEqual(['first', 'second', 'spare']);
  });
});
