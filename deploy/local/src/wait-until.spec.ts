import { waitUntil } from './wait-until.ts';

describe('waitUntil', () => {
  it('asks until the answer is yes', async () => {
    let asked = 0;
    expect(await waitUntil(() => ++asked === 3, { deadlineMs: 5_000, everyMs: 1 })).toBe(true);
    expect(asked).toBe(3);
  });

  it('asks at least once, and says no at the deadline, also while an answer is outstanding', async () => {
    expect(await waitUntil(() => true, { deadlineMs: 0 })).toBe(true);
    expect(await waitUntil(() => false, { deadlineMs: 20, everyMs: 1 })).toBe(false);
    expect(await waitUntil(() => new Promise<boolean>(() => undefined), { deadlineMs: 20 })).toBe(false);
  });

  it('rejects with the reason of the one who gave up, also while an answer is outstanding, and with a fault of the condition', async () => {
    const reason = new Error('interrupted');
    await expect(waitUntil(() => true, { deadlineMs: 5_000, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const outstanding = waitUntil(() => new Promise<boolean>(() => undefined), {
      deadlineMs: 60_000,
      signal: controller.signal,
    });
    controller.abort(reason);
    await expect(outstanding).rejects.toBe(reason);
    await expect(waitUntil(() => Promise.reject(reason), { deadlineMs: 5_000 })).rejects.toBe(reason);
  });
});
