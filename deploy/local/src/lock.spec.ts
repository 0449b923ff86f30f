import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tryLock, withLock } from './lock.ts';
import { ownIdentity } from './process-identity.ts';

describe('lock', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-lock-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('has one holder at a time and leaves nothing behind', async () => {
    const file = path.join(dir, 'x.lock');
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, () => withLock(file, { deadlineMs: 10_000, everyMs: 2 }, work)));
    expect(most).toBe(1);
    expect(await readdir(dir)).toEqual([]);
  });

  it('is released when the work fails', async () => {
    const file = path.join(dir, 'x.lock');
    const failing = withLock(file, { deadlineMs: 1_000 }, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect((await tryLock(file)).kind).toBe('held');
  });

  it('names its holder and gives up at the deadline', async () => {
    const file = path.join(dir, 'x.lock');
    await tryLock(file);
    expect(await tryLock(file)).toMatchObject({ kind: 'busy', holder: { pid: process.pid } });
    await expect(withLock(file, { deadlineMs: 50 }, async () => undefined)).rejects.toThrow(
      `Process ${process.pid} has held`,
    );
  });

  it('does not count a holder that died, also when its pid is in use again', async () => {
    const file = path.join(dir, 'x.lock');
    const recycled = { ...(await ownIdentity()), startTime: 'another' };
    for (const holder of [{ pid: 2 ** 22 + 1, startTime: '1', command: 'gone' }, recycled]) {
      await writeFile(file, JSON.stringify(holder));
      let inside = 0;
      let most = 0;
      const contenders = Array.from({ length: 6 }, () =>
        withLock(file, { deadlineMs: 10_000, everyMs: 2 }, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setImmediate(resolve));
          inside--;
        }),
      );
      await Promise.all(contenders);
      expect(most).toBe(1);
    }
  });
});
