import { Calls } from './calls.ts';
import { Component } from './component.ts';
import { Interruption } from './interruption.ts';
import type { FromSandbox } from './protocol.ts';
import { Turns } from './turns.ts';

// Answers with the number of instances that were made of it; only the first can be.
const GLUE = `
let made = 0;
export function instantiate() {
  made += 1;
  if (made > 1) throw new Error('only once');
  return {
    // Long enough for the spare time in which another is made.
    async handler() {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { made };
    },
    state: { save() {}, restore: () => true },
  };
}`;

async function open() {
  const interruption = new Interruption();
  const turns: ConstructorParameters<typeof Calls>[0]['turns'] = new Turns(interruption);
  const told: FromSandbox[] = [];
  let ended = () => undefined as unknown;
  const calls = new Calls({
    turns,
    tell(message) {
      told.push(message);
      ended();
    },
    collectGarbage: () => undefined,
  });
  const component = await Component.load(
    {
      entry: 'component.js',
      files: new Map([['component.js', new TextEncoder().encode(GLUE)]]),
      modules: [],
      reusable: true,
      sourceMap: null,
    },
    { turns, imports: {}, interrupt: interruption.memory, started: Promise.resolve() },
  );
  calls.add('a', component);
  const run = async (call: number, wallMs = 60_000): Promise<FromSandbox | undefined> => {
    const end = new Promise((resolve) => {
      ended = () => resolve(undefined);
    });
    calls.run({
      type: 'run',
      call,
      artifact: 'a',
      pool: 'install',
      memoryPages: 16,
      limits: { wallMs, cpuMs: 60_000, liftedBytes: 1_000, outputChars: 1_000 },
      request: { context: { tenantId: 'acme', extensionId: 'x' }, http: { method: 'GET', url: '/', headers: [] } },
    });
    await end;
    return told.at(-1);
  };
  return { run };
}

describe('the calls of a sandbox', () => {
  it('have no instance made ahead any more once that has failed', async () => {
    const { run } = await open();
    const made: unknown[] = [];
    for (let call = 1; call <= 4; call++) made.push(await run(call));
    expect(made).toEqual(
      [2, 2, 2, 2].map((count, index) => ({ type: 'finished', call: index + 1, response: { made: count } })),
    );
  });

  it('end as timed out where their turn comes too late', async () => {
    const { run } = await open();
    expect(await run(1, -1)).toEqual({ type: 'failed', call: 1, reason: 'timeout', message: '' });
  });
});
