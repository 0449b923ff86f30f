import fc from 'fast-check';
import type { StorageOwner } from '../ports/storage-store.ts';
import { StorageDatabase } from '../test-support/storage-database.ts';

let db: StorageDatabase;
beforeAll(async () => {
  db = await StorageDatabase.create();
}, 120_000);
afterAll(() => db?.stop(), 60_000);

async function usageIsExact(owner: StorageOwner): Promise<void> {
  const { counted, there } = await db.usage(owner);
  expect(counted).toEqual(there);
}

/** What a key holds; undefined: nothing that has not expired. */
type State = { readonly text: string; readonly revision: number } | undefined;

type Step =
  | { readonly kind: 'get' }
  | { readonly kind: 'put'; readonly text: string; readonly expected: Expected }
  | { readonly kind: 'delete'; readonly expected: Expected };
/** Which revision a step names: none, that of no key, the one that is there when it is sent, or one long gone. */
type Expected = 'any' | 'absent' | 'current' | 'stale';

type Done = { readonly step: Step; readonly expected: number | undefined; readonly outcome: Outcome };
type Outcome =
  | { readonly kind: 'got'; readonly state: State }
  | { readonly kind: 'stored'; readonly revision: number }
  | { readonly kind: 'deleted' | 'missing' | 'conflict' };

async function run(owner: StorageOwner, key: string, step: Step, expected: number | undefined): Promise<Outcome> {
  switch (step.kind) {
    case 'get':
      return { kind: 'got', state: await db.get(owner, key) };
    case 'put': {
      const result = await db.put(owner, key, step.text, expected);
      return result.outcome === 'stored' ? { kind: 'stored', revision: result.revision } : { kind: 'conflict' };
    }
    case 'delete':
      return { kind: await db.storage.delete(owner, key, expected) };
  }
}

/** The state after the step, if the model gives that outcome in that state; `impossible` otherwise. */
function model(state: State, { step, expected, outcome }: Done): State | 'impossible' {
  const fits = expected === undefined || expected === (state?.revision ?? 0);
  switch (step.kind) {
    case 'get':
      return outcome.kind === 'got' && JSON.stringify(outcome.state) === JSON.stringify(state) ? state : 'impossible';
    case 'put':
      if (!fits) return outcome.kind === 'conflict' ? state : 'impossible';
      // Revisions rise with every write of a key, in the order in which the writes took effect.
      if (outcome.kind !== 'stored' || outcome.revision <= (state?.revision ?? 0)) return 'impossible';
      return { text: step.text, revision: outcome.revision };
    case 'delete':
      if (state === undefined) return outcome.kind === 'missing' ? state : 'impossible';
      if (!fits) return outcome.kind === 'conflict' ? state : 'impossible';
      return outcome.kind === 'deleted' ? undefined : 'impossible';
  }
}

/** Every state in which some order of the steps, one after the other, ends with the outcomes that they had. */
function endings(state: State, todo: readonly Done[]): State[] {
  if (todo.length === 0) return [state];
  return todo.flatMap((done, index) => {
    const next = model(state, done);
    return next === 'impossible' ? [] : endings(next, todo.toSpliced(index, 1));
  });
}

const expected = fc.constantFrom<Expected>('any', 'absent', 'current', 'stale');
const text = fc.string({ maxLength: 8 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('get' as const) }),
  fc.record({ kind: fc.constant('put' as const), text, expected }),
  fc.record({ kind: fc.constant('delete' as const), expected }),
);

describe('reads and writes of one key', () => {
  it('at once have the outcomes of some order one after the other: no write is lost, none comes back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 5 }), { maxLength: 6 }), async (rounds) => {
        const owner = await db.newOwner();
        let state: State;
        for (const round of rounds) {
          const current = state?.revision ?? 0;
          const done = await Promise.all(
            round.map(async (step): Promise<Done> => {
              const wanted = step.kind === 'get' ? 'any' : step.expected;
              // A delete of "no key" would say nothing: 0 is a revision that nothing has.
              const revision = { any: undefined, absent: 0, current, stale: 1 }[wanted];
              const named = step.kind === 'delete' && revision === 0 ? undefined : revision;
              return { step, expected: named, outcome: await run(owner, 'k', step, named) };
            }),
          );
          const possible = endings(state, done);
          state = await db.get(owner, 'k');
          expect(possible).toContainEqual(state);
        }
        await usageIsExact(owner);
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});

describe('reads, writes and listings of many keys', () => {
  const key = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b:x', 'c-d');
  const command = fc.oneof(
    fc.record({ do: fc.constant('put' as const), key, text, ttl: fc.boolean() }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('expire' as const), key }),
    fc.record({ do: fc.constant('sweep' as const) }),
    fc.record({
      do: fc.constant('list' as const),
      prefix: fc.constantFrom('', 'a', 'a/', 'b', 'x'),
      page: fc.integer({ min: 1, max: 4 }),
    }),
  );

  it('agree with a sorted map in which what has expired is not there', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
        const owner = await db.newOwner();
        const present = new Map<string, string>();
        for (const each of commands) {
          switch (each.do) {
            case 'put':
              await db.put(
                owner,
                each.key,
                each.text,
                present.has(each.key) ? undefined : 0,
                each.ttl ? 3_600 : undefined,
              );
              present.set(each.key, each.text);
              break;
            case 'delete':
              expect(await db.storage.delete(owner, each.key, undefined)).toBe(
                present.delete(each.key) ? 'deleted' : 'missing',
              );
              break;
            case 'expire':
              await db.setExpiry(owner, each.key, 'now');
              present.delete(each.key);
              break;
            case 'sweep':
              await db.storage.sweep(owner.installId);
              break;
            case 'list': {
              const listed: [string, string][] = [];
              let after: string | undefined;
              do {
                const page = await db.storage.list(owner, { prefix: each.prefix, after, limit: each.page });
                expect(page.entries.length).toBeLessThanOrEqual(each.page);
                listed.push(...page.entries.map((e): [string, string] => [e.key, Buffer.from(e.value).toString()]));
                after = page.nextCursor;
              } while (after !== undefined);
              expect(listed).toEqual([...present].filter(([k]) => k.startsWith(each.prefix)).sort(byKey));
            }
          }
        }
        for (const k of ['a', 'a/1', 'a/2', 'b', 'b:x', 'c-d']) {
          expect((await db.get(owner, k))?.text).toBe(present.get(k));
        }
        await usageIsExact(owner);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

const byKey = ([a]: [string, string], [b]: [string, string]) => (a < b ? -1 : 1);
