import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { scratchDir } from '../spec/scratch.ts';
import { publishBundle } from './publish-bundle.ts';

const PUBLISHED = { extensionId: 'probe', version: '1.2.3', contentHash: `sha256:${'ab'.repeat(32)}` };
const PROBLEM = { code: 'capability_undeclared', detail: 'Too much.', fix: 'Declare it.', requestId: 'req_12345678' };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

/** What comes of a registry that answers so, and the progress that was shown. */
async function publishTo(answer: (response: ServerResponse) => void) {
  const server = createServer((request, response) => {
    request.resume().once('end', () => answer(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { dir, remove } = await scratchDir({ b: 'the bundle' });
  cleanups.push(remove, () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const shown: string[] = [];
  const outcome = await publishBundle({
    file: join(dir, 'b'),
    registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token: 'alga_pub_0123456789',
    progress: (line) => shown.push(line),
  });
  return { outcome, shown };
}

const saying =
  (...lines: unknown[]) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.end(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  };

const begun = (stage: string) => ({ stage, state: 'begun' });
const passed = (stage: string) => ({ stage, state: 'passed', ms: 1 });

describe('a registry that says what goes on', () => {
  it('is heard stage by stage, up to what it published', async () => {
    const { outcome, shown } = await publishTo(
      saying(begun('archive'), passed('archive'), begun('transpile'), passed('transpile'), { result: PUBLISHED }),
    );
    expect(outcome).toEqual({ ok: true, value: PUBLISHED });
    expect(shown).toEqual(['publishing: archive', 'publishing: transpile']);
  });

  it('is heard while it works, and however its bytes are cut', async () => {
    const text = `${JSON.stringify(begun('patch'))}\n${JSON.stringify({ result: { ...PUBLISHED, extra: 'ü' } })}\n`;
    const { outcome, shown } = await publishTo(async (response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      for (const byte of Buffer.from(text)) {
        response.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    expect([outcome, shown]).toEqual([{ ok: true, value: PUBLISHED }, ['publishing: patch']]);
  });

  it('refuses with a problem after the stage that failed', async () => {
    const { outcome, shown } = await publishTo(saying(begun('capabilities'), { problem: PROBLEM }));
    expect(outcome).toMatchObject({
      ok: false,
      problem: { kind: 'refused', code: PROBLEM.code, requestId: 'req_12345678' },
    });
    expect(shown).toEqual(['publishing: capabilities']);
  });

  it('cannot move the cursor or fill the screen with the name of a stage', async () => {
    const stages = ['\u001b[2J', 'a\nb', 'x'.repeat(1_000), '', 'A'];
    const { outcome, shown } = await publishTo(saying(...stages.map(begun), { result: PUBLISHED }));
    expect([outcome.ok, shown]).toEqual([true, []]);
  });

  it.each([
    ['ends without a word', saying(begun('archive'))],
    ['says nothing', saying()],
    ['says what is not JSON', saying('oops', { result: PUBLISHED })],
    ['says JSON of another shape', saying([1], { result: PUBLISHED })],
    ['publishes something in an unknown form', saying({ result: { hello: 1 } })],
    ['has a problem in an unknown form', saying({ problem: 'oops' })],
    ['never stops', saying(...Array.from({ length: 5_000 }, () => begun('archive')), { result: PUBLISHED })],
  ])('is none that %s', async (_, answer) => {
    const { outcome } = await publishTo(answer);
    expect(outcome).toMatchObject({ ok: false, problem: { code: 'not_a_registry' } });
  });

  it('counts as unreachable when it hangs up in the middle', async () => {
    const { outcome } = await publishTo((response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify(begun('archive'))}\n`, () => response.destroy());
    });
    expect(outcome).toMatchObject({ ok: false, problem: { kind: 'unreachable' } });
  });
});
