// The guest cases of SECURITY's corpus: each ends in its own outcome, and the calls of a neighbour tenant go on meanwhile.
// How fast they go on is measured by `npm run bench:engine`; here it counts that every one of them is answered.

import type { Limits } from '@alga/contracts';
import { type GuestKind, type GuestOptions, ROUTES } from '@alga/fixtures';
import { bodyOf, createHarness, guestArtifact, type Harness, host } from './fixtures/harness.ts';
import type { HostHandler, LoadedArtifact } from './outcome.ts';

interface Case {
  readonly name: string;
  readonly kind: GuestKind;
  readonly options?: GuestOptions;
  readonly url: string;
  readonly limits?: Partial<Limits>;
  readonly deadlineMs?: number;
  readonly outcome: object;
  /** The JSON of the response, where it ends in one; null: it has no body. */
  readonly body?: object | null;
}

const LOOPING = { deadlineMs: 150, outcome: { kind: 'timeout' } } as const;
const LIFTED = { kind: 'limit_exceeded', limit: 'liftedBytes' };

const CASES: readonly Case[] = [
  ...(['starlingmonkey', 'quickjs', 'c'] as const).flatMap((kind): Case[] => [
    { name: 'loops', kind, url: ROUTES.loop, ...LOOPING },
    { name: 'waits, then loops', kind, url: ROUTES.waitThenLoop, ...LOOPING },
    {
      name: 'takes all processor time',
      kind,
      url: ROUTES.loop,
      limits: { cpuMs: 80 },
      outcome: { kind: 'cpu_exceeded' },
    },
    {
      name: 'allocates without end',
      kind,
      url: ROUTES.allocate,
      limits: { memoryMb: 24 },
      outcome: { kind: 'out_of_memory' },
    },
    { name: 'fails by throwing', kind, url: ROUTES.throw, outcome: { kind: 'trap' } },
    { name: 'answers with status 99', kind, url: ROUTES.status99, outcome: { kind: 'invalid_response' } },
    { name: 'breaks a header in two', kind, url: ROUTES.crlf, outcome: { kind: 'invalid_response' } },
    { name: 'answers too much', kind, url: ROUTES.huge, outcome: { kind: 'limit_exceeded', limit: 'responseBytes' } },
    { name: 'answers far too much', kind, url: ROUTES.enormous, outcome: LIFTED },
    {
      name: 'logs a million times',
      kind,
      url: ROUTES.chatty(1_000_000),
      outcome: { kind: 'limit_exceeded', limit: 'hostCalls' },
    },
    { name: 'logs a line of 5 MB', kind, url: ROUTES.longLine(5_000_000), outcome: LIFTED },
    {
      name: 'reads a million secrets',
      kind,
      url: ROUTES.manySecrets(1_000_000),
      outcome: { kind: 'limit_exceeded', limit: 'hostCalls' },
    },
    {
      name: 'asks for __proto__',
      kind,
      url: ROUTES.protoKey,
      outcome: { kind: 'response' },
      body: { value: { error: 'missing' } },
    },
    {
      name: 'hands over lone surrogates',
      kind,
      url: ROUTES.surrogates,
      // QuickJS cannot encode them.
      outcome: { kind: kind === 'quickjs' ? 'trap' : 'response' },
    },
    {
      name: 'recurses',
      kind,
      url: ROUTES.recurse,
      // StarlingMonkey has a stack of its own, in its memory, and tells its guest.
      ...(kind === 'starlingmonkey'
        ? { outcome: { kind: 'response' }, body: { recursed: true } }
        : { outcome: { kind: 'trap' } }),
    },
  ]),
  { name: 'fills memory for ever', kind: 'c', url: ROUTES.fill, ...LOOPING },
  { name: 'answers with 100,000 headers that alias 16 MiB', kind: 'c', url: ROUTES.alias(100_000), outcome: LIFTED },
  {
    name: 'answers with 2^28 headers',
    kind: 'c',
    url: ROUTES.longList,
    outcome: { kind: 'trap' },
  },
  {
    name: 'answers outside of its memory',
    kind: 'c',
    url: ROUTES.badPointer,
    // Cut off at the end of the memory: the guest is told nothing, and is given nothing.
    outcome: { kind: 'response', status: 200 },
    body: null,
  },
  { name: 'answers with a misaligned list', kind: 'c', url: ROUTES.misaligned, outcome: { kind: 'trap' } },
  {
    name: 'answers with bytes that are not UTF-8',
    kind: 'c',
    url: ROUTES.badUtf8,
    outcome: { kind: 'invalid_response' },
  },
  { name: 'traps', kind: 'c', url: ROUTES.trap, outcome: { kind: 'trap', message: 'unreachable' } },
  { name: 'forges a handle', kind: 'c', options: { wasi: true }, url: ROUTES.forgedHandle, outcome: { kind: 'trap' } },
  {
    name: 'drops a handle twice',
    kind: 'c',
    options: { wasi: true },
    url: ROUTES.doubleDrop,
    outcome: { kind: 'trap' },
  },
];

let harness: Harness;
let neighbour: LoadedArtifact;

beforeAll(async () => {
  neighbour = await guestArtifact('c');
  harness = createHarness(neighbour);
}, 180_000);

afterAll(() => harness.engine.close());

/** Calls of another tenant, one after the other, until it is told to stop. */
function neighbourCalls() {
  let stopped = false;
  const answers: string[] = [];
  const done = (async () => {
    while (!stopped) answers.push((await harness.run(ROUTES.state, { tenantId: 'neighbour' })).kind);
    return answers;
  })();
  return {
    async stop() {
      stopped = true;
      return done;
    },
  };
}

describe.each(CASES)('a $kind guest that $name', ({ kind, options, url, limits, deadlineMs, outcome, body }) => {
  it('ends so, leaves its own tenant able to work, and its neighbours at work', async () => {
    const artifact = await guestArtifact(kind, options);
    await Promise.all([harness.run(ROUTES.state, { artifact }), harness.run(ROUTES.state, { tenantId: 'neighbour' })]);
    const calls = neighbourCalls();
    const ended = await harness.run(url, {
      artifact,
      ...(limits === undefined ? {} : { limits }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    const answers = await calls.stop();
    expect(ended).toMatchObject(outcome);
    if (body === null) expect(ended).not.toHaveProperty('body');
    else if (body !== undefined) expect(bodyOf(ended)).toEqual(body);
    expect(new Set(answers)).toEqual(new Set(['response']));
    expect(bodyOf(await harness.run(ROUTES.state, { artifact }))).toEqual({ calls: 1, leftover: '' });
  }, 180_000);
});

describe('a guest that never comes back from a host call', () => {
  it('is bounded in number: what is more is refused at once, and all end at their deadline', async () => {
    const stuck: HostHandler = (call) => (call.interface === 'http' ? new Promise(() => undefined) : host(call));
    const many = createHarness(neighbour, { maxInFlightPerSandbox: 40 });
    try {
      await many.run(ROUTES.state);
      const outcomes = await Promise.all(
        Array.from({ length: 1_000 }, () => many.run(ROUTES.fetch, { host: stuck, deadlineMs: 700 })),
      );
      const kinds = outcomes.map(({ kind }) => kind);
      expect(kinds.filter((kind) => kind === 'timeout')).toHaveLength(40);
      expect(kinds.filter((kind) => kind === 'overloaded')).toHaveLength(960);
      expect(bodyOf(await many.run(ROUTES.state))).toEqual({ calls: 1, leftover: '' });
    } finally {
      await many.engine.close();
    }
  });
});

describe('a component that crashes its sandboxes', () => {
  it('is quarantined for its tenant after the third, while that tenant’s other component and other tenants run', async () => {
    const poison = await guestArtifact('wat');
    for (let crash = 0; crash < 3; crash++) {
      const stuck: HostHandler = () => new Promise(() => undefined);
      const dying = harness.run(ROUTES.state, { artifact: poison, host: stuck, tenantId: 'poisoned' });
      await dying;
      const looping = harness.run(ROUTES.loop, { artifact: poison, tenantId: 'poisoned' });
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.kill(harness.pidOf('poisoned') ?? Number.NaN, 'SIGKILL');
      expect(await looping).toMatchObject({ kind: 'crashed', started: true });
    }
    expect(await harness.run(ROUTES.state, { artifact: poison, tenantId: 'poisoned' })).toMatchObject({
      kind: 'quarantined',
      retryAfterMs: expect.any(Number),
    });
    expect((await harness.run(ROUTES.state, { tenantId: 'poisoned' })).kind).toBe('response');
    expect((await harness.run(ROUTES.state, { artifact: poison, tenantId: 'neighbour' })).kind).toBe('response');
    const { contentHash } = poison;
    expect(harness.faults).toContainEqual({ kind: 'component_quarantined', tenantId: 'poisoned', contentHash });
  });
});
