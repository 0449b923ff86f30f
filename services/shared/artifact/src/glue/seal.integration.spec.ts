// I4 for the glue: what a call leaves in it is gone before the next.
import { isDeepStrictEqual } from 'node:util';
import { buildGuest, ROUTES } from '@alga/fixtures';
import fc from 'fast-check';
import { type Running, run } from '../test-support/running-glue.ts';
import { transpileComponent } from '../transpile.ts';
import { declaredNames } from './scopes.ts';
import { readGlue } from './shape.ts';

/** A compiler may have to build the guest first. */
const BUILD_MS = 240_000;
const RUNS = 40;
const CALLS = 200;

type Made = Extract<Awaited<ReturnType<typeof transpileComponent>>, { ok: true }>;

async function made(kind: 'starlingmonkey' | 'quickjs' | 'c'): Promise<Made> {
  const { component } = await buildGuest(kind, { wasi: true });
  const result = await transpileComponent(component, { deadlineMs: 60_000, maxMemoryMb: 1_024 });
  if (!result.ok) throw new Error(result.message);
  return result;
}

/** Adds to the instance a function that shows every variable of the glue: by their declarations, not by our inventory. */
function withDump(source: string): string {
  const { outer, inner } = readGlue(source);
  const names = [...outer, ...inner].flatMap(declaredNames);
  expect(names.length).toBeGreaterThan(100);
  return source.replace('state: Object.freeze(', `dump: () => ({ ${names.join(', ')} }),\nstate: Object.freeze(`);
}

/** What can be seen of a value from outside, through all that it holds; functions and memories by their identity. */
function picture(value: unknown, seen: unknown[] = []): unknown {
  if (value === null || typeof value !== 'object') {
    return typeof value === 'function' ? [value, pictureOfMembers(value, [...seen, value])] : value;
  }
  if (seen.includes(value)) return 'seen';
  const inside = [...seen, value];
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (value instanceof Map) return ['map', [...value].map(([key, each]) => [key, picture(each, inside)])];
  if (value instanceof Set) return ['set', [...value].map((each) => picture(each, inside))];
  if (kind === 'WebAssembly.Global') return ['global', (value as { value: unknown }).value];
  if (kind.startsWith('WebAssembly') || kind === 'Promise') return value;
  if (value instanceof DataView) return ['view', value.byteLength > 8 ? 'memory' : [...new Uint8Array(value.buffer)]];
  return [kind, pictureOfMembers(value, inside)];
}

function pictureOfMembers(value: object, inside: unknown[]): unknown {
  if (Object.getPrototypeOf(value) === null) return 'exports';
  return Object.getOwnPropertyNames(value)
    .filter((name) => !['prototype', 'caller', 'arguments', 'length', 'name', 'buffer'].includes(name))
    .map((name) => [name, picture((value as Record<string, unknown>)[name], inside)]);
}

/** Calls that end, in all the ways in which a call can use the glue. */
const CALLS_OF: readonly [string, string?][] = [
  [ROUTES.echo, 'body'],
  [ROUTES.secret],
  [ROUTES.config],
  [ROUTES.context],
  [ROUTES.fetch],
  [ROUTES.storage],
  [ROUTES.log],
  [ROUTES.state, 'left behind'],
  [ROUTES.random],
  [ROUTES.now],
  [ROUTES.manySecrets(20)],
  [ROUTES.chatty(20)],
];

describe.each(['starlingmonkey', 'quickjs', 'c'] as const)('the glue of a guest of %s', (kind) => {
  let artifact: Made;
  let guest: Running;
  beforeAll(async () => {
    artifact = await made(kind);
    guest = await run(artifact, withDump);
  }, BUILD_MS);

  it('can be put back', () => {
    expect(artifact.pool).toEqual({ reusable: true });
  });

  it('is after any calls what it was before them, in every variable that it has', async () => {
    const before = picture(guest.instance.dump?.());
    let changes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...CALLS_OF), { minLength: 1, maxLength: 3 }), async (calls) => {
        for (const [url, body] of calls) expect((await guest.call(url, body)).status).toBe(200);
        changes += isDeepStrictEqual(picture(guest.instance.dump?.()), before) ? 0 : 1;
        expect(guest.reset()).toBe(true);
        expect(picture(guest.instance.dump?.())).toEqual(before);
      }),
      { numRuns: RUNS },
    );
    // Without a reset it would not be.
    expect(changes).toBe(RUNS);
  });

  it('gives the same answers after hundreds of resets as at first, at a cost that does not grow', async () => {
    const first = (await guest.call(ROUTES.state, 'left')).body;
    const spent: number[] = [];
    for (let call = 0; call < CALLS; call++) {
      expect(guest.reset()).toBe(true);
      const start = performance.now();
      guest.instance.state.restore();
      spent.push(performance.now() - start);
      expect((await guest.call(ROUTES.state, 'left')).body).toEqual(first);
    }
    const half = CALLS / 2;
    expect(median(spent.slice(half))).toBeLessThan(1);
    expect(median(spent.slice(half))).toBeLessThan(2 * median(spent.slice(0, half)) + 0.02);
  });

  it('is not put back in the middle of a call, nor after one that failed', async () => {
    const other = await run(artifact);
    const call = other.call(ROUTES.fetch);
    expect(other.instance.state.restore()).toBe(false);
    await call;
    expect(other.reset()).toBe(true);
    other.interrupt[0] = -1;
    await expect(other.call(ROUTES.echo)).rejects.toThrow(/unreachable/);
    expect(other.reset()).toBe(false);
  });
});

it('a guest that keeps a handle of the host open is not put back', async () => {
  const guest = await run(await made('c'));
  expect((await guest.call(ROUTES.plant)).status).toBe(200);
  expect(guest.reset()).toBe(false);
});

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
