// An instance costs what its engine takes to begin: that it is used again is why calls are cheap, and for whom it is used
// again is what I4 and I5 hang on. The glue here numbers its instances and answers with the number.
import { artifactOfGlue, bodyOf, createHarness, type Harness, host } from './fixtures/harness.ts';
import type { HostHandler, LoadedArtifact } from './outcome.ts';

interface Answer {
  readonly number: number;
  /** Whether the instance had been made before a call needed it: in a turn of its own. */
  readonly ahead: boolean;
}

/** As many microtasks as no call waits between the making of its instance and its handler. */
const MICROTASKS = 200;

function countingGlue(restore: boolean): string {
  return `
let made = 0;
export async function instantiate(getCoreModule, imports) {
  const number = ++made;
  let ahead = false;
  let later = Promise.resolve();
  for (let task = 0; task < ${MICROTASKS}; task++) later = later.then(() => undefined);
  later.then(() => { ahead = true; });
  return {
    async handler({ http: { url } }) {
      const answer = JSON.stringify({ number, ahead });
      if (url === '/throw') throw new Error('failed');
      if (url === '/wait') await imports['alga:extension/secrets'].get('api_key');
      return { status: 200, headers: [], body: new TextEncoder().encode(answer) };
    },
    state: { save() {}, restore: () => ${restore} },
  };
}
`;
}

function counting({ restore = true, reusable = true } = {}): LoadedArtifact {
  return { ...artifactOfGlue(new TextEncoder().encode(countingGlue(restore))), pool: { reusable } };
}

let harness: Harness;

afterEach(() => harness.engine.close());

async function answerOf(url: string, options?: Parameters<Harness['run']>[1]): Promise<Answer> {
  return bodyOf(await harness.run(url, options)) as Answer;
}

async function numbersOf(calls: number, options?: Parameters<Harness['run']>[1]): Promise<number[]> {
  const numbers: number[] = [];
  for (let call = 0; call < calls; call++) numbers.push((await answerOf('/', options)).number);
  return numbers;
}

describe('an instance', () => {
  it('serves one call after the other', async () => {
    harness = createHarness(counting());
    expect(await numbersOf(12)).toEqual(Array(12).fill(1));
  });

  it('is never given to another install, or for another memory limit, in whatever order they call', async () => {
    harness = createHarness(counting());
    const pools = [
      { installId: 'one' },
      { installId: 'two' },
      { installId: 'one', limits: { memoryMb: 32 } },
      { installId: 'two', limits: { memoryMb: 32 } },
    ];
    const seen = pools.map(() => new Set<number>());
    for (let round = 0; round < 4; round++) {
      for (const [index, pool] of pools.entries()) seen[index]?.add((await answerOf('/', pool)).number);
    }
    // One process, and so one count of the instances.
    expect(harness.engine.stats().sandboxes).toHaveLength(1);
    expect(seen).toEqual([1, 2, 3, 4].map((number) => new Set([number])));
  });

  it('serves one call where the registry says that it cannot be used again', async () => {
    harness = createHarness(counting({ reusable: false }));
    const numbers = await numbersOf(6);
    expect(new Set(numbers).size).toBe(6);
  });

  it('serves one call where its glue cannot be put back', async () => {
    harness = createHarness(counting({ restore: false }));
    const numbers = await numbersOf(6);
    expect(new Set(numbers).size).toBe(6);
  });

  it('is thrown away when its handler fails', async () => {
    harness = createHarness(counting());
    const numbers: number[] = [];
    for (let round = 0; round < 4; round++) {
      numbers.push((await answerOf('/')).number);
      expect((await harness.run('/throw')).kind).toBe('trap');
    }
    expect(new Set(numbers).size).toBe(4);
  });
});

describe('one instance ahead', () => {
  it('is made while the first call of a burst waits, serves the second, and both serve what comes after', async () => {
    harness = createHarness(counting());
    const released = Promise.withResolvers<void>();
    const called = Promise.withResolvers<void>();
    const stalled: HostHandler = async (call) => {
      called.resolve();
      await released.promise;
      return host(call);
    };
    const first = answerOf('/wait', { host: stalled });
    await called.promise;
    // Another install's call goes there and back meanwhile, so that the sandbox has had a turn to spare.
    expect(await answerOf('/', { installId: 'other' })).toMatchObject({ ahead: false });
    const second = await answerOf('/wait');
    released.resolve();
    expect((await first).ahead).toBe(false);
    expect(second.ahead).toBe(true);
    const pair = new Set([(await first).number, second.number]);
    expect(pair.size).toBe(2);
    for (let round = 0; round < 5; round++) {
      const both = await Promise.all([answerOf('/wait'), answerOf('/wait')]);
      expect(new Set(both.map(({ number }) => number))).toEqual(pair);
    }
  });
});
