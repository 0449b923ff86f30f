// The glue with modules as their authors' compilers make them.
import { buildLegacy, FETCHED_URL, LOG_LINES, ROUTES } from '@alga/fixtures';
import { checkLegacy } from './check-legacy.ts';
import { fakeHost, type Request, type Response, runLegacy, sandboxMemories } from './test-support/legacy-puppet.ts';
import { transpileComponent } from './transpile.ts';
import { readCoreModule } from './wasm/read-core-module.ts';
import { Reader } from './wasm/reader.ts';

/** A compiler starts in each. */
const BUILD_MS = 120_000;

const request = (url: string, text?: string): Request => ({
  context: { tenantId: 'acme', extensionId: 'guest' },
  http: {
    method: 'POST',
    url,
    headers: [{ name: 'x-a', value: 'b' }],
    body: text === undefined ? undefined : Buffer.from(text),
  },
});

const textOf = ({ body }: Response): string => Buffer.from(body ?? '').toString();

describe.each(['assemblyscript', 'wat'] as const)('a legacy module in %s', (kind) => {
  let wasm: Uint8Array;
  beforeAll(async () => {
    wasm = await buildLegacy(kind);
  }, BUILD_MS);

  it('keeps to the ABI', () => {
    expect(checkLegacy(readCoreModule(new Reader(wasm)), { name: 'alga:extension', version: '1.0.0' })).toMatchObject({
      ok: true,
      imports: expect.arrayContaining(['alga:extension/logging']),
    });
  });

  it('answers with headers and a body, and keeps its own state from call to call', async () => {
    const { handler } = await runLegacy(wasm, fakeHost());
    expect(await handler(request(ROUTES.echo, 'ü'))).toEqual({
      status: 200,
      headers: [{ name: 'x-a', value: 'b' }],
      body: new Uint8Array(Buffer.from('ü')),
    });
    expect(JSON.parse(textOf(await handler(request(ROUTES.state, 'left'))))).toEqual({ calls: 1, leftover: '' });
    expect(JSON.parse(textOf(await handler(request(ROUTES.state))))).toEqual({ calls: 2, leftover: 'left' });
  });

  it('does the same as it is published, and can be stopped there', async () => {
    const published = await transpileComponent(wasm, { deadlineMs: 30_000, maxMemoryMb: 1_024, runtime: 'legacy' });
    if (!published.ok) throw new Error(published.message);
    expect(published).toMatchObject({ entry: 'component.js', runtime: 'legacy', engine: 'legacy' });
    const [{ name, memory } = { name: '', memory: null }] = published.modules;
    const rt = sandboxMemories(memory?.minPages ?? 0, memory?.maxPages ?? 0);
    const patched = published.files.get(name) ?? new Uint8Array();
    const { handler } = await runLegacy(patched, fakeHost(), { 'alga:rt': rt });
    expect(textOf(await handler(request(ROUTES.echo, 'patched')))).toBe('patched');
    new Int32Array(rt.interrupt.buffer)[0] = -1;
    await expect(handler(request(ROUTES.loop))).rejects.toMatchObject({ name: 'RuntimeError' });
  });

  it('logs through the host', async () => {
    const host = fakeHost();
    await (await runLegacy(wasm, host)).handler(request(ROUTES.log));
    expect(host.logs).toContain(`info ${LOG_LINES.info}`);
  });

  it('fails the call where it returns 1 or traps', async () => {
    for (const route of [ROUTES.fail, ROUTES.trap]) {
      const { handler } = await runLegacy(wasm, fakeHost());
      await expect(handler(request(route))).rejects.toMatchObject({ name: 'RuntimeError' });
    }
  });
});

describe('a legacy module in AssemblyScript', () => {
  it('fetches through the host, and is given its refusal', async () => {
    const wasm = await buildLegacy('assemblyscript');
    const host = fakeHost(() => ({ status: 200, headers: [], body: Buffer.from('upstream') }));
    const fetched = await (await runLegacy(wasm, host)).handler(request(ROUTES.fetch));
    expect(JSON.parse(textOf(fetched))).toEqual({ status: 200, body: 'upstream' });
    expect(host.fetched).toMatchObject([{ method: 'GET', url: FETCHED_URL }]);

    const refusing = fakeHost(() => {
      throw Object.freeze({ payload: 'not-allowed' });
    });
    const refused = await (await runLegacy(wasm, refusing)).handler(request(ROUTES.fetch));
    expect(JSON.parse(textOf(refused))).toEqual({ error: 'not-allowed' });
  });
});

describe('a legacy module in WAT', () => {
  it('ends the call where its response lies outside of its memory', async () => {
    const { handler } = await runLegacy(await buildLegacy('wat'), fakeHost());
    await expect(handler(request(ROUTES.badPointer))).rejects.toThrow('leads out of its memory');
  });
});
