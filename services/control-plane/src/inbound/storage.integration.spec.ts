import { channels } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { sampleManifest } from '../test-support/peers.ts';
import { ALL_GRANTS, codeOf, installSample, type Platform, startPlatform } from '../test-support/platform.ts';

const DEADLINE = { deadlineMs: 5_000 };
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform([sampleManifest('1.0.0')]);
}, 120_000);

afterAll(() => platform?.stop(), 60_000);

const encode = (value: string | Uint8Array) => Buffer.from(value as string).toString('base64');

/** An install's storage as a runner sees it: through an envelope. */
async function storageOf(tenantId: string, capabilities = ALL_GRANTS.capabilities) {
  await installSample(platform, tenantId, { ...ALL_GRANTS, capabilities });
  const { token } = (await platform.resolve(tenantId)).secretsEnvelope;
  const { bus } = platform;
  return {
    token,
    get: async (key: string) => {
      const { entry } = await bus.request(channels.storageGet, { token, key }, DEADLINE);
      return entry === undefined ? undefined : { ...entry, value: Buffer.from(entry.value, 'base64').toString() };
    },
    put: (key: string, value: string | Uint8Array, options: { expectedRevision?: number; ttlSeconds?: number } = {}) =>
      bus.request(channels.storagePut, { token, key, value: encode(value), ...options }, DEADLINE),
    remove: async (key: string, expectedRevision?: number) =>
      (
        await bus.request(
          channels.storageDelete,
          { token, key, ...(expectedRevision === undefined ? {} : { expectedRevision }) },
          DEADLINE,
        )
      ).outcome,
    list: (prefix: string, limit = 100, cursor?: string) =>
      bus.request(
        channels.storageList,
        { token, prefix, limit, ...(cursor === undefined ? {} : { cursor }) },
        DEADLINE,
      ),
  };
}

describe('a value', () => {
  it('is written, read, replaced and deleted, its revision rising and never used twice', async () => {
    const storage = await storageOf('basic');
    expect(await storage.get('k')).toBeUndefined();
    const first = await storage.put('k', 'one');
    const second = await storage.put('k', 'two');
    if (first.outcome !== 'stored' || second.outcome !== 'stored') throw new Error('not stored');
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(await storage.get('k')).toEqual({ key: 'k', value: 'two', revision: second.revision });
    expect(await storage.remove('k', first.revision)).toBe('conflict');
    expect(await storage.remove('k')).toBe('deleted');
    expect(await storage.remove('k')).toBe('missing');
    const third = await storage.put('k', '');
    expect(third).toMatchObject({ outcome: 'stored' });
    expect(await storage.put('k', 'x', { expectedRevision: second.revision })).toEqual({ outcome: 'conflict' });
    expect(await storage.get('k')).toMatchObject({ value: '' });
  });

  it('with an expected revision is written by exactly one of many writers, round after round', async () => {
    const storage = await storageOf('cas');
    let revision = 0; // must not exist
    for (let round = 0; round < 5; round++) {
      const expectedRevision = revision;
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, n) => storage.put('counter', `${round}.${n}`, { expectedRevision })),
      );
      const [winner, ...others] = outcomes.filter((o) => o.outcome === 'stored');
      expect(others).toHaveLength(0);
      if (winner?.outcome !== 'stored') throw new Error('nobody won');
      revision = winner.revision;
    }
    expect(await storage.get('counter')).toMatchObject({ revision });
  });

  it('never comes back by a write that expected it while it was being deleted', async () => {
    const storage = await storageOf('undead');
    for (let round = 0; round < 10; round++) {
      const made = await storage.put('k', 'v');
      if (made.outcome !== 'stored') throw new Error('not stored');
      const [put, removed] = await Promise.all([
        storage.put('k', 'w', { expectedRevision: made.revision }),
        storage.remove('k', made.revision),
      ]);
      expect([put.outcome, removed].filter((o) => o === 'stored' || o === 'deleted')).toHaveLength(1);
      expect((await storage.get('k')) === undefined).toBe(removed === 'deleted');
    }
  });

  it('is gone when its time has run out, and then counts as not existing', async () => {
    const storage = await storageOf('ttl');
    const made = await storage.put('k', 'short', { ttlSeconds: 1 });
    if (made.outcome !== 'stored') throw new Error('not stored');
    expect((await storage.get('k'))?.expiresAt).toBeGreaterThan(0);
    expect(await waitUntil(async () => (await storage.get('k')) === undefined, { deadlineMs: 10_000 })).toBe(true);
    expect((await storage.list('')).entries).toEqual([]);
    expect(await storage.remove('k')).toBe('missing');
    await storage.put('k', 'short', { ttlSeconds: 1 });
    expect(await waitUntil(async () => (await storage.get('k')) === undefined, { deadlineMs: 10_000 })).toBe(true);
    expect(await storage.put('k', 'new', { expectedRevision: made.revision })).toEqual({ outcome: 'conflict' });
    expect(await storage.put('k', 'new', { expectedRevision: 0 })).toMatchObject({ outcome: 'stored' });
  });
});

describe('a listing', () => {
  it('goes in byte order by prefix, page by page, and misses nothing', async () => {
    const storage = await storageOf('list');
    const keys = ['a', 'a/b', 'a:c', 'aB', 'aa', 'b_', 'b1', 'bX'].filter((key) => /^[A-Za-z0-9._:/-]+$/.test(key));
    await Promise.all(keys.map((key) => storage.put(key, key)));
    const collected: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.list('a', 2, cursor);
      collected.push(...page.entries.map((entry) => entry.key));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(collected).toEqual(keys.filter((key) => key.startsWith('a')).sort());
    expect((await storage.list('zz')).entries).toEqual([]);
  });

  it('stops before 512 KiB of values, and goes on from there', async () => {
    const storage = await storageOf('pages');
    for (let n = 0; n < 6; n++) await storage.put(`big-${n}`, new Uint8Array(128 * 1024).fill(n));
    const first = await storage.list('big-');
    expect(first.entries.map((entry) => entry.key)).toEqual(['big-0', 'big-1', 'big-2', 'big-3']);
    const second = await storage.list('big-', 100, first.nextCursor);
    expect(second.entries.map((entry) => entry.key)).toEqual(['big-4', 'big-5']);
    expect(second.nextCursor).toBeUndefined();
  });
});

describe('quotas', () => {
  it('refuse the 1001st key, however many writers race for it, and make room again by deletion and expiry', async () => {
    const storage = await storageOf('quota');
    const put = (n: number, ttlSeconds?: number) =>
      codeOf(storage.put(`k${n}`, 'v', ttlSeconds === undefined ? {} : { ttlSeconds }));
    const codes: (string | undefined)[] = [];
    for (let from = 0; from < 1_020; from += 60) {
      codes.push(
        ...(await Promise.all(Array.from({ length: 60 }, (_, n) => put(from + n, from === 0 ? 2 : undefined)))),
      );
    }
    const refused = codes.filter((code) => code !== undefined);
    expect(refused.every((code) => code === 'body_too_large')).toBe(true);
    expect(codes.filter((code) => code === undefined).length).toBeGreaterThanOrEqual(1_000);
    // There is room as soon as one of the 60 short-lived ones has run out; each of them does so at a moment of its own.
    expect(await waitUntil(async () => (await put(5_000)) === undefined, { deadlineMs: 10_000 })).toBe(true);
    expect(await waitUntil(async () => (await storage.get('k0')) === undefined, { deadlineMs: 10_000 })).toBe(true);
  }, 60_000);

  it('refuse 16 MiB in all and 128 KiB in one', async () => {
    const storage = await storageOf('bytes');
    const block = new Uint8Array(128 * 1024);
    for (let n = 0; n < 128; n += 8) {
      await Promise.all(Array.from({ length: 8 }, (_, k) => storage.put(`b${n + k}`, block)));
    }
    expect(await codeOf(storage.put('one-more', 'x'))).toBe('body_too_large');
    expect(await storage.put('b0', 'smaller')).toMatchObject({ outcome: 'stored' });
    expect(await storage.put('one-more', 'x')).toMatchObject({ outcome: 'stored' });
    expect(await codeOf(storage.put('b0', new Uint8Array(128 * 1024 + 1)))).toBe('body_too_large');
  }, 60_000);
});

describe('authority', () => {
  it('is the envelope: its install, its capabilities, and nothing after a suspension or an uninstall (I6)', async () => {
    const mine = await storageOf('mine');
    const theirs = await storageOf('theirs');
    await mine.put('k', 'mine');
    expect(await theirs.get('k')).toBeUndefined();
    const reader = await storageOf('reader', ['storage.read']);
    expect(await reader.get('k')).toBeUndefined();
    expect(await codeOf(reader.put('k', 'v'))).toBe('forbidden');
    expect(await codeOf(reader.remove('k'))).toBe('forbidden');
    const writer = await storageOf('writer', ['storage.write']);
    expect(await codeOf(writer.list(''))).toBe('forbidden');

    const everyAttempt = () =>
      Promise.all(
        [mine.get('k'), mine.put('k', 'v'), mine.remove('k'), mine.list('')].map((attempt) => codeOf(attempt)),
      );
    await platform.request('POST', '/v1/tenants/mine/installs/ticket-sync/suspend');
    expect(await everyAttempt()).toEqual(Array(4).fill('install_suspended'));
    await platform.request('POST', '/v1/tenants/mine/installs/ticket-sync/resume');
    expect(await mine.get('k')).toMatchObject({ value: 'mine' });
    await platform.request('DELETE', '/v1/tenants/mine/installs/ticket-sync');
    expect(await everyAttempt()).toEqual(Array(4).fill('extension_not_found'));
  });

  it('is not a token that somebody changed', async () => {
    const { token } = await storageOf('forged');
    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { alg: _alg, ...rest } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const last = signature.at(-1) ?? '';
    const forged = [
      `${header}.${segment({ ...claims, tenantId: 'mine' })}.${signature}`,
      `${segment({ alg: 'none', ...rest })}.${payload}.AA`,
      `${segment({ alg: 'HS256', ...rest })}.${payload}.${signature}`,
      `${segment({ alg: 'Ed25519', ...rest, jwk: {} })}.${payload}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -1)}${last === 'A' ? 'B' : String.fromCharCode(last.charCodeAt(0) + 1)}`,
      `${header}.${payload}.${signature}AAAA`,
    ];
    for (const each of forged) {
      const attempt = platform.bus.request(channels.storageGet, { token: each, key: 'k' }, DEADLINE);
      expect(await codeOf(attempt)).toBe('envelope_invalid');
    }
  });
});
