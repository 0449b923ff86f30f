import { randomBytes } from 'node:crypto';
import { Secret } from '@alga/contracts';
import fc from 'fast-check';
import { claims } from '../test-support/tokens.ts';
import type { Envelope } from './envelope.ts';
import {
  type CachedSecrets,
  L1_TTL_MS,
  type RedeemRequest,
  type Redemption,
  SecretsCache,
  type SharedEntries,
} from './secrets-cache.ts';

const envelope = (sv: number, tenantId = 'acme'): Envelope => ({
  token: `token-${sv}`,
  tokenSha256: 'f'.repeat(64),
  claims: claims({ sv, tenantId }),
});

/** What the broker and the provider behind it would say; a data key per version, as HKDF gives it. */
class Backend {
  version = 1;
  failure: Extract<Redemption, { ok: false }> | undefined;
  readonly requests: RedeemRequest['want'][] = [];
  readonly #keys = new Map<number, Uint8Array>();

  redeem = async (request: RedeemRequest): Promise<Redemption> => {
    this.requests.push(request.want);
    if (this.failure !== undefined) return this.failure;
    const secretsVersion = this.version;
    const dataKey = this.#keys.get(secretsVersion) ?? randomBytes(32);
    this.#keys.set(secretsVersion, dataKey);
    const values = new Map([['api_key', new Secret(`value-${secretsVersion}`)]]);
    return { ok: true, secretsVersion, dataKey, ...(request.want === 'values' ? { values } : {}) };
  };
}

class MapEntries implements SharedEntries {
  readonly entries = new Map<string, Uint8Array>();
  get = async (key: string) => this.entries.get(key);
  set = async (key: string, entry: Uint8Array) => this.entries.set(key, entry);
  delete = async (key: string) => this.entries.delete(key);
}

function setUp(redeem?: (request: RedeemRequest) => Promise<Redemption>) {
  const backend = new Backend();
  const shared = new MapEntries();
  const faults: string[] = [];
  const clock = { now: 0 };
  const make = () =>
    new SecretsCache({
      redeem: redeem ?? backend.redeem,
      entries: new Map<string, CachedSecrets>(),
      shared,
      now: () => clock.now,
      randomBytes,
      onFault: (reason) => faults.push(reason),
    });
  return { backend, shared, faults, clock, make, cache: make() };
}

const versionOf = async (cache: SecretsCache, sv: number, tenantId?: string) => {
  const lookup = await cache.lookup(envelope(sv, tenantId), 'request-1');
  if (!lookup.ok) throw new Error(lookup.error);
  expect(lookup.secrets.values.get('api_key')?.reveal()).toBe(`value-${lookup.secrets.version}`);
  return { version: lookup.secrets.version, source: lookup.source };
};

describe('the secrets cache', () => {
  it('redeems once per install and version, however many ask at once', async () => {
    const { backend, cache } = setUp();
    await Promise.all(Array.from({ length: 50 }, () => versionOf(cache, 1)));
    await versionOf(cache, 1);
    expect(backend.requests).toEqual(['values']);
  });

  it('keeps tenants apart', async () => {
    const { backend, cache } = setUp();
    await versionOf(cache, 1, 'acme');
    await versionOf(cache, 1, 'globex');
    expect(backend.requests).toEqual(['values', 'values']);
  });

  it('goes to the broker as soon as the floor rises, with no event needed', async () => {
    const { backend, cache } = setUp();
    await versionOf(cache, 1);
    backend.version = 2;
    expect(await versionOf(cache, 2)).toEqual({ version: 2, source: 'broker' });
  });

  it('uses an entry for 30 s of the monotonic clock and not longer', async () => {
    const { clock, cache } = setUp();
    await versionOf(cache, 1);
    clock.now = L1_TTL_MS - 1;
    expect(await versionOf(cache, 1)).toMatchObject({ source: 'l1' });
    clock.now = L1_TTL_MS;
    expect(await versionOf(cache, 1)).toMatchObject({ source: 'l2' });
  });

  it('gives a new runner the shared entry for an audited redemption of its key alone', async () => {
    const { backend, cache, make } = setUp();
    await versionOf(cache, 1);
    expect(await versionOf(make(), 1)).toEqual({ version: 1, source: 'l2' });
    expect(backend.requests).toEqual(['values', 'data-key']);
  });

  it('does not use a shared entry that is older than what the broker says now', async () => {
    const { backend, cache, make } = setUp();
    await versionOf(cache, 1);
    backend.version = 2;
    expect(await versionOf(make(), 1)).toEqual({ version: 2, source: 'broker' });
  });

  it('passes over shared entries that are swapped, damaged or of another format', async () => {
    const { cache, make, shared } = setUp();
    await versionOf(cache, 1, 'acme');
    await versionOf(cache, 1, 'globex');
    const [mine = '', other = ''] = [...shared.entries.keys()];
    const entry = shared.entries.get(other) ?? new Uint8Array();
    for (const bad of [entry, entry.subarray(0, 40), randomBytes(200), new Uint8Array()]) {
      shared.entries.set(mine, bad);
      expect(await versionOf(make(), 1, 'acme')).toEqual({ version: 1, source: 'broker' });
    }
  });

  it('refuses a broker that supplies less than the floor, as unavailable and never as missing', async () => {
    const { cache, faults } = setUp();
    expect(await cache.lookup(envelope(2), 'request-1')).toEqual({ ok: false, error: 'unavailable' });
    expect(faults).toEqual(['the broker supplied less than the version floor']);
  });

  it('shares the outage of the backend, but not the refusal of another caller’s envelope', async () => {
    const outcomes = new Map<string, Redemption>([
      ['token-1', { ok: false, error: 'expired' }],
      ['token-2', { ok: true, secretsVersion: 2, dataKey: randomBytes(32), values: new Map() }],
    ]);
    const { cache } = setUp(async ({ envelope: { token } }) => outcomes.get(token) as Redemption);
    const [expired, fine] = await Promise.all([cache.lookup(envelope(1), 'r1'), cache.lookup(envelope(2), 'r2')]);
    expect(expired).toEqual({ ok: false, error: 'expired' });
    expect(fine).toMatchObject({ ok: true, secrets: { version: 2 } });

    const { backend, cache: down } = setUp();
    backend.failure = { ok: false, error: 'unavailable', retryAfterMs: 400 };
    const all = await Promise.all([1, 2, 3].map(() => down.lookup(envelope(1), 'r')));
    expect(all).toEqual(all.map(() => backend.failure));
    expect(backend.requests).toHaveLength(1);
  });

  it('serves what it has while the backend is away, as long as floor and age allow', async () => {
    const { backend, cache } = setUp();
    await versionOf(cache, 1);
    backend.failure = { ok: false, error: 'unavailable' };
    expect(await versionOf(cache, 1)).toMatchObject({ source: 'l1' });
    expect(await cache.lookup(envelope(2), 'r')).toMatchObject({ ok: false, error: 'unavailable' });
  });

  it('forgets on an event for a newer version, and keeps what is newer than a late one', async () => {
    const { backend, cache, shared } = setUp();
    backend.version = 5;
    await versionOf(cache, 5);
    await cache.evict('acme', 'inst-1', 4);
    expect(await versionOf(cache, 5)).toMatchObject({ source: 'l1' });
    await cache.evict('acme', 'inst-1', 6);
    expect(shared.entries.size).toBe(0);
    backend.version = 6;
    expect(await versionOf(cache, 5)).toMatchObject({ version: 6, source: 'broker' });
    await cache.evict('acme', 'inst-1', undefined);
    expect(await versionOf(cache, 6)).toMatchObject({ source: 'broker' });
  });
});

describe('I1: the version floor', () => {
  type Step =
    | { kind: 'rotate' }
    | { kind: 'event'; version: number }
    | { kind: 'wipe' }
    | { kind: 'wait'; ms: number }
    | { kind: 'rollback' }
    | { kind: 'get'; runner: number };

  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'rotate' }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 30 }).map<Step>((version) => ({ kind: 'event', version })) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'wipe' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'rollback' }) },
    { weight: 1, arbitrary: fc.constantFrom(1, 20_000, L1_TTL_MS).map<Step>((ms) => ({ kind: 'wait', ms })) },
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 1 }).map<Step>((runner) => ({ kind: 'get', runner })) },
  );

  it('holds in any order of rotations, events lost, doubled, late or forged, caches wiped or rolled back, gets overlapping', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 30 }), async (scheduler, steps) => {
        const backend = new Backend();
        const shared = new MapEntries();
        const olds: [string, Uint8Array][] = [];
        const clock = { now: 0 };
        const runners = [0, 1].map(
          () =>
            new SecretsCache({
              // Every answer takes its own time: the scheduler decides in which order they arrive.
              redeem: scheduler.scheduleFunction(backend.redeem),
              entries: new Map(),
              shared: {
                get: scheduler.scheduleFunction(shared.get),
                set: scheduler.scheduleFunction(async (key: string, entry: Uint8Array) => {
                  olds.push([key, entry]);
                  await shared.set(key, entry);
                }),
                delete: scheduler.scheduleFunction(shared.delete),
              },
              now: () => clock.now,
              randomBytes,
              onFault: (reason) => {
                throw new Error(reason);
              },
            }),
        );
        const gets: Promise<void>[] = [];
        for (const next of steps) {
          if (next.kind === 'rotate') backend.version += 1;
          if (next.kind === 'wait') clock.now += next.ms;
          if (next.kind === 'wipe') shared.entries.clear();
          if (next.kind === 'rollback') for (const [key, entry] of olds.slice(0, 1)) shared.entries.set(key, entry);
          if (next.kind === 'event') gets.push(...runners.map((r) => r.evict('acme', 'inst-1', next.version)));
          if (next.kind === 'get') {
            const floor = backend.version;
            const work = runners[next.runner]?.lookup(envelope(floor), 'r').then((lookup): void => {
              // The clock may have run past the redemption's budget: that is an outage, never a stale or a missing value.
              if (!lookup.ok) {
                expect(lookup.error).toBe('unavailable');
                return;
              }
              expect(lookup.secrets.version).toBeGreaterThanOrEqual(floor);
              expect(lookup.secrets.values.get('api_key')?.reveal()).toBe(`value-${lookup.secrets.version}`);
            });
            if (work !== undefined) gets.push(work);
          }
          if (scheduler.count() > 0 && next.kind !== 'get') await scheduler.waitOne();
        }
        await scheduler.waitFor(Promise.all(gets));
      }),
      { numRuns: 200 },
    );
  });
});
