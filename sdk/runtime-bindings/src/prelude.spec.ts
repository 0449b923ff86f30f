import type { ExecuteRequest } from 'alga:extension/types@1.0.0';

const { Date: OwnDate, fetch: ownFetch } = globalThis;
afterAll(() => {
  globalThis.fetch = ownFetch;
});

const request: ExecuteRequest = {
  context: { tenantId: 'acme', extensionId: 'x' },
  http: { method: 'GET', url: '/', headers: [] },
};

describe('the prelude', () => {
  it('guards the time until the first request, and turns what the extension throws into its last words', async () => {
    const { serving } = await import('./prelude.ts');
    // The test runner needs the time, too: nothing may be awaited before the first request.
    const handler = serving(() => ({ status: 200, headers: [{ name: 'now', value: String(Date.now() > 0) }] }));
    const guarded = (() => {
      try {
        return String(Date.now());
      } catch (error) {
        return (error as Error).message;
      }
    })();
    const response = await handler(request);
    expect(guarded).toContain('Date.now at the top level');
    expect(response).toEqual({ status: 200, headers: [{ name: 'now', value: 'true' }] });
    expect(globalThis.Date).toBe(OwnDate);
    expect(() => fetch('https://a.example')).toThrow('fetch is not available');

    const failing = serving(() => Promise.reject(new RangeError('out of tickets')));
    const thrown: unknown = await failing(request).catch((error: unknown) => error);
    expect((thrown as { toSource(): string }).toSource()).toMatch(/^RangeError: out of tickets\n?/);
  });
});
