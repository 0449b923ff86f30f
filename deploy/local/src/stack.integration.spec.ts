import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jest } from '@jest/globals';
import pg from 'pg';
import { identify } from './process-identity.ts';
import type { ServiceName } from './service-settings.ts';
import { type Stack, type StackOptions, startStack } from './stack.ts';

jest.setTimeout(120_000);

// The smallest thing that behaves like a service: answers /readyz, tells its settings, and says when it is asked to end.
const SERVICE = `
import { createServer } from 'node:http';
const server = createServer((request, response) => response.end(request.url === '/readyz' ? 'ok' : JSON.stringify(process.env)));
server.listen(Number(process.env.HTTP_PORT), process.env.HTTP_HOST);
process.on('SIGTERM', () => { console.log('asked to end at ' + Date.now()); setTimeout(() => process.exit(0), 50); });
`;

describe('startStack', () => {
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-stack-'));
    await writeFile(path.join(dir, 'service.mjs'), SERVICE);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const options = (): StackOptions => {
    const entry = path.join(dir, 'service.mjs');
    const entries: Record<ServiceName, string> = {
      gateway: entry,
      'control-plane': entry,
      registry: entry,
      'secrets-broker': entry,
      runner: entry,
    };
    return { dir, ports: 'any', runners: 2, entries, env: { PATH: process.env.PATH } };
  };
  const allPids = (stack: Stack) => [
    ...[...stack.processes.values()].map(({ pid }) => pid),
    ...Object.values(stack.servers).flatMap((server) => (server.kind === 'own' ? [server.server.pid] : [])),
  ];
  const expectNothingRuns = async (list: readonly number[]) => {
    for (const pid of list) expect(await identify(pid)).toBeUndefined();
  };
  const settingsOf = async (url: string) => (await (await fetch(url)).json()) as Record<string, string>;

  it('starts everything, gives each service its own settings and nothing else, and leaves nothing running', async () => {
    const stack = await startStack({
      ...options(),
      egressPrivateOrigins: ['http://127.0.0.1:9'],
      settings: { gateway: { EXTRA: '1' } },
    });
    const running = allPids(stack);
    try {
      expect([...stack.processes.keys()].sort()).toEqual([
        'control-plane',
        'gateway',
        'registry',
        'runner-1',
        'runner-2',
        'secrets-broker',
      ]);
      expect(running).toHaveLength(9);
      const gateway = await settingsOf(stack.urls.gateway);
      expect(gateway).toMatchObject({ NATS_URL: stack.servers.nats.url, REQUEST_TIMEOUT_MS: '15000', EXTRA: '1' });
      expect(Object.keys(gateway)).not.toContain('HOME');
      for (const name of ['DATABASE_URL', 'REDIS_URL', 'KEYRING_FILE']) expect(gateway).not.toHaveProperty(name);
      const [first, second] = await Promise.all(stack.urls.runners.map(settingsOf));
      expect(first).toMatchObject({ RUNNER_ID: 'runner-1', EGRESS_PRIVATE_ORIGINS: 'http://127.0.0.1:9' });
      expect(second).toMatchObject({ RUNNER_ID: 'runner-2' });
      expect(first).not.toHaveProperty('DATABASE_URL');
      const client = new pg.Client({ connectionString: (await settingsOf(stack.urls.controlPlane)).DATABASE_URL });
      await client.connect();
      expect((await client.query('SELECT current_database() AS name')).rows).toEqual([{ name: 'control_plane' }]);
      await client.end();
      await stack.killRunner(1);
      await expect(fetch(stack.urls.runners[1] ?? '')).rejects.toThrow();
      await expect(startStack(options())).rejects.toThrow(`Another stack (pid ${process.pid}) runs on`);
    } finally {
      await Promise.all([stack.stop(), stack.stop()]);
    }
    await expectNothingRuns(running);

    const again = await startStack({ ...options(), runners: 1 });
    await again.stop();
    await expectNothingRuns(allPids(again));
  });

  it('continues where the last run ended, or begins with nothing when told to', async () => {
    const state = async (stack: Stack) => {
      const client = new pg.Client({ connectionString: stack.databaseUrls.registry });
      await client.connect();
      const { rows } = await client.query<{ found: boolean }>("SELECT to_regclass('mark') IS NOT NULL AS found");
      await client.query('CREATE TABLE IF NOT EXISTS mark ()');
      await client.end();
      await stack.stop();
      return { marked: rows[0]?.found, key: await readFile(path.join(stack.keysDir, 'operator-key'), 'utf8') };
    };
    const first = await state(await startStack({ ...options(), runners: 0 }));
    const second = await state(await startStack({ ...options(), runners: 0 }));
    const third = await state(await startStack({ ...options(), runners: 0, fresh: true }));
    expect([first.marked, second.marked, third.marked]).toEqual([false, true, false]);
    expect(second.key).toBe(first.key);
    expect(third.key).not.toBe(first.key);
  });

  it('uses given servers as they are, and makes the databases on them', async () => {
    const first = await startStack({ ...options(), runners: 0 });
    const { nats, redis, postgres } = first.servers;
    const second = await startStack({
      ...options(),
      dir: path.join(dir, 'second'),
      runners: 1,
      env: { PATH: process.env.PATH, NATS_URL: nats.url, REDIS_URL: redis.url, DATABASE_URL: postgres.url },
    });
    expect(Object.values(second.servers).map(({ kind }) => kind)).toEqual(['external', 'external', 'external']);
    expect(second.databaseUrls).toEqual(first.databaseUrls);
    await second.stop();
    expect(await identify(postgres.kind === 'own' ? postgres.server.pid : 0)).toBeDefined();
    await first.stop();
  });

  it('stops what was started, with the reason and the log of the one that failed', async () => {
    await writeFile(path.join(dir, 'broken.mjs'), "console.error('DATABASE_URL is not a URL'); process.exit(2);");
    const progress: string[] = [];
    const broken = { ...options(), progress: (line: string) => progress.push(line) };
    const start = startStack({ ...broken, entries: { ...broken.entries, registry: path.join(dir, 'broken.mjs') } });
    await expect(start).rejects.toThrow(
      /^registry ended during its start \(exit code 2\)\. Its log ends:\nDATABASE_URL is not a URL$/,
    );
    expect(progress.some((line) => line.startsWith('postgres runs on port'))).toBe(true);
    // The lock is free and Postgres's folder unused: nothing of the failed start runs.
    const again = await startStack({ ...options(), runners: 0 });
    await again.stop();
  });

  it('stops what was started when it is interrupted', async () => {
    const controller = new AbortController();
    const reason = new Error('Ctrl-C');
    const start = startStack({
      ...options(),
      signal: controller.signal,
      progress: (line) => {
        if (line.startsWith('postgres runs')) controller.abort(reason);
      },
    });
    await expect(start).rejects.toBe(reason);
    expect(await readdir(dir)).not.toContain('stack.lock');
  });

  it('refuses a Vault without a token file, naming the setting', async () => {
    await expect(
      startStack({ ...options(), env: { PATH: process.env.PATH, VAULT_ADDR: 'http://127.0.0.1:8200' } }),
    ).rejects.toThrow(/VAULT_TOKEN_FILE/);
  });
});
