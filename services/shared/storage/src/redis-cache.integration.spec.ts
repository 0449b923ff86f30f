import { type RunningServer, startRedis, waitUntil } from '@alga/local-stack';
import { openRedisCache, type SharedCache } from './redis-cache.ts';

let redis: RunningServer;
let cache: SharedCache;
const changes: boolean[] = [];

beforeAll(async () => {
  redis = await startRedis();
  cache = openRedisCache({ url: redis.url, onChange: (available) => changes.push(available) });
  await until(() => cache.set('spec:up', bytes, 60_000));
});

afterAll(async () => {
  cache.close();
  await redis.stop();
});

const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 10_000 }))) throw new Error(`never held: ${condition}`);
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const started = performance.now();
  const result = await work();
  return { result, ms: performance.now() - started };
}

describe('the shared cache on Redis', () => {
  it('gives back the bytes it was given, until they expire or are deleted', async () => {
    expect(await cache.set('spec:a', bytes, 60_000)).toBe(true);
    expect(await cache.get('spec:a')).toEqual(Buffer.from(bytes));
    expect(await cache.delete('spec:a')).toBe(true);
    expect(await cache.get('spec:a')).toBeUndefined();
    expect(await cache.set('spec:b', bytes, 1)).toBe(true);
    await until(async () => (await cache.get('spec:b')) === undefined);
  });

  it('ends every operation of a hanging server in time, then stops asking, and comes back by itself', async () => {
    expect(await cache.set('spec:c', bytes, 60_000)).toBe(true);
    redis.kill('SIGSTOP');
    for (let attempt = 0; attempt < 3; attempt++) {
      const { result, ms } = await timed(() => cache.get('spec:c'));
      expect(result).toBeUndefined();
      expect(ms).toBeLessThan(1_000); // 50 ms and a busy machine
    }
    expect(changes.at(-1)).toBe(false);
    const passed = await timed(async () => {
      for (let attempt = 0; attempt < 100; attempt++) await cache.get('spec:c');
    });
    expect(passed.ms).toBeLessThan(500); // a hundred timeouts would be five seconds
    redis.kill('SIGCONT');
    await until(async () => (await cache.get('spec:c')) !== undefined);
    expect(changes.at(-1)).toBe(true);
  });

  it('answers without a server, and uses one that starts later', async () => {
    const { port } = redis;
    await redis.stop();
    expect(await cache.get('spec:d')).toBeUndefined();
    expect(await cache.set('spec:d', bytes, 60_000)).toBe(false);
    expect(await cache.delete('spec:d')).toBe(false);
    const early = openRedisCache({ url: `redis://127.0.0.1:${port}`, onChange: () => undefined });
    expect(await early.get('spec:d')).toBeUndefined();
    early.close();
  });
});
