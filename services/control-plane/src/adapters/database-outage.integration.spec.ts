import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { channels } from '@alga/contracts';
import { type RunningPostgres, startPostgres, waitUntil } from '@alga/local-stack';
import { sampleManifest } from '../test-support/peers.ts';
import { codeOf, installSample, type Platform, startPlatform } from '../test-support/platform.ts';

let dir: string;
let postgres: RunningPostgres;
let platform: Platform;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'alga-control-plane-outage-'));
  postgres = await startPostgres({ dir, durable: false });
  platform = await startPlatform([sampleManifest('1.0.0')], await postgres.createDatabase('control_plane'));
}, 120_000);

afterAll(async () => {
  await platform?.stop();
  await postgres?.stop();
  if (dir !== undefined) await rm(dir, { recursive: true, force: true });
}, 60_000);

it('while Postgres is down every entrance answers 503 unavailable and the service is unready; it recovers by itself', async () => {
  await installSample(platform, 'acme');
  const { token } = (await platform.resolve('acme')).secretsEnvelope;
  const read = () => platform.bus.request(channels.storageGet, { token, key: 'k' }, { deadlineMs: 8_000 });
  await postgres.stop();

  const refused = await platform.request('GET', '/v1/tenants/acme/installs');
  expect(refused.body).toMatchObject({ code: 'unavailable', status: 503, retryAfterMs: 1000 });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await codeOf(platform.resolve('acme'))).toBe('unavailable');
  expect(await codeOf(read())).toBe('unavailable');
  expect((await platform.request('GET', '/readyz')).body).toMatchObject({ ready: false, checks: { postgres: false } });

  postgres = await startPostgres({ dir, durable: false, port: postgres.port });
  const ready = async () => (await platform.request('GET', '/readyz')).status === 200;
  expect(await waitUntil(ready, { deadlineMs: 15_000 })).toBe(true);
  expect(await codeOf(platform.resolve('acme'))).toBeUndefined();
  expect(await read()).toEqual({});
}, 60_000);
