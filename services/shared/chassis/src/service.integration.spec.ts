import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { channels } from '@alga/contracts';
import { freePort, type RunningServer, startNats } from '@alga/local-stack';
import { Bus } from './bus.ts';
import { KnownSecrets } from './known-secrets.ts';
import { createLogger } from './logger.ts';
import { until } from './test-support/until.ts';

const SAMPLE = fileURLToPath(new URL('./test-support/sample-service.ts', import.meta.url));

let nats: RunningServer;
const children: ChildProcess[] = [];
beforeAll(async () => {
  nats = await startNats();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await nats.stop();
});

function run(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', SAMPLE], { env, stdio: 'pipe' });
  children.push(child);
  const output: string[] = [];
  child.stdout.on('data', (chunk) => output.push(String(chunk)));
  child.stderr.on('data', (chunk) => output.push(String(chunk)));
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, exited, text: () => output.join('') };
}

describe('runService', () => {
  it('stops with one sentence per bad setting, before it connects to anything', async () => {
    const sample = run({ NATS_URL: 'http://127.0.0.1', HTTP_PORT: 'eighty' });
    expect(await sample.exited).toBe(78);
    expect(sample.text()).toContain(
      'control-plane: NATS_URL is not such a URL: set it to a URL beginning with nats://',
    );
    expect(sample.text()).toContain('control-plane: HTTP_PORT is out of range');
    expect(sample.text()).toContain('control-plane: DELAY_MS is not set');
  });

  it('serves, reports readiness and metrics, and on SIGTERM finishes what is in flight before it ends (I10)', async () => {
    const port = await freePort();
    const sample = run({ NATS_URL: nats.url, HTTP_PORT: String(port), DELAY_MS: '300' });
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    await until(async () => (await get('/readyz').catch(() => undefined))?.status === 200);
    expect(await (await get('/hello')).json()).toEqual({ hello: 'world' });

    const client = await Bus.connect({
      url: nats.url,
      service: 'gateway',
      logger: createLogger({ service: 'gateway', instance: 'spec', level: 'fatal', knownSecrets: new KnownSecrets() }),
    });
    try {
      const call = client.request(channels.apikeyVerify, { keySha256: 'a'.repeat(64) }, { deadlineMs: 5_000 });
      await until(() => sample.text().includes('"working"'));
      expect(await (await get('/metrics')).text()).toContain('alga_http_request_ms');
      sample.child.kill('SIGTERM');
      expect(await call).toMatchObject({ keyId: 'k1' });
      expect(await sample.exited).toBe(0);
    } finally {
      await client.close();
    }
    const order = ['"stopping"', '"sample stopped"', '"stopped"'].map((line) => sample.text().indexOf(line));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThan(0);
  });
});
