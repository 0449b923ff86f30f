import { AlgaError } from '@alga/contracts';
import { createTurnstile } from './turnstile.ts';

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => value,
    (error: unknown) => (error instanceof AlgaError ? error.code : error),
  );

describe('a turnstile', () => {
  it('lets one through at a time, in the order of arrival', async () => {
    const pass = createTurnstile({ maxWaiting: 8, waitMs: 5_000 });
    const order: string[] = [];
    let inside = 0;
    await Promise.all(
      ['a', 'b', 'c', 'd'].map((name) =>
        pass(async () => {
          inside += 1;
          expect(inside).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          order.push(name);
          inside -= 1;
        }),
      ),
    );
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('turns away at once who would make the line too long', async () => {
    const pass = createTurnstile({ maxWaiting: 1, waitMs: 5_000 });
    const gate = Promise.withResolvers<string>();
    const first = pass(() => gate.promise);
    const second = pass(async () => 'second');
    expect(await codeOf(pass(async () => 'third'))).toBe('overloaded');
    gate.resolve('first');
    expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  });

  it('turns away who has waited too long, and keeps the turn for the others', async () => {
    const pass = createTurnstile({ maxWaiting: 2, waitMs: 20 });
    const gate = Promise.withResolvers<string>();
    const first = pass(() => gate.promise);
    expect(await codeOf(pass(async () => 'second'))).toBe('overloaded');
    gate.resolve('first');
    expect(await first).toBe('first');
    expect(await pass(async () => 'third')).toBe('third');
  });

  it('goes on after work that failed', async () => {
    const pass = createTurnstile({ maxWaiting: 1, waitMs: 5_000 });
    await expect(pass(() => Promise.reject(new Error('work')))).rejects.toThrow('work');
    expect(await pass(async () => 'next')).toBe('next');
  });
});
