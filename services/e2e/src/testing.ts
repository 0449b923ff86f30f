import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildComponent, packBundle, renderProblem } from '@alga/cli';
import { freePort, type Stack, startStack, waitUntil } from '@alga/local-stack';
import { type AlgaApi, startAlgaApi } from './alga-api.ts';
import { PlatformClient } from './platform-client.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SAMPLE = join(ROOT, 'sdk/samples/ticket-sync');

export const EXTENSION = 'ticket-sync';

/** A whole platform of its own: servers, services, the API that the sample calls, and a client. */
export interface Platform {
  readonly stack: Stack;
  readonly api: AlgaApi;
  readonly client: PlatformClient;
  readonly accountToken: string;
  /** The sample's bundle, with the API's origin in its manifest. `edit` changes the manifest before it is packed. */
  bundle(edit?: (manifest: Record<string, unknown>) => void): Promise<Uint8Array>;
  /** Makes a tenant with an install of the sample that has all it needs; returns a key that may call it. */
  tenant(id: string): Promise<string>;
  /** Replaces the source of `alga_api_key` of all installs and makes the API accept it. */
  writeKey(generation: number): Promise<void>;
  webhookSecret(): Promise<string>;
  close(): Promise<void>;
}

export const KEY_REFERENCE = 'file:ticket-sync-api-key';

export const installPath = (tenantId: string): string => `/v1/tenants/${tenantId}/installs/${EXTENSION}`;

/** Waits for a condition. @throws Error when it does not hold within 20 s. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  if (!(await waitUntil(condition, { deadlineMs: 20_000 }))) throw new Error(`never held: ${condition}`);
}

export async function startPlatform(options: { runners: number }): Promise<Platform> {
  const dir = await mkdtemp(join(tmpdir(), 'alga-e2e-'));
  const accountToken = randomBytes(24).toString('base64url');
  const api = await startAlgaApi({ port: await freePort(), accountToken });
  const stack = await startStack({
    dir,
    runners: options.runners,
    ports: 'any',
    egressPrivateOrigins: [api.origin],
    env: { PATH: process.env.PATH, DATABASE_URL: undefined },
  }).catch(async (error: unknown) => {
    await api.close();
    await rm(dir, { recursive: true, force: true });
    throw error;
  });
  const operatorKey = (await readFile(join(stack.keysDir, 'operator-key'), 'utf8')).trim();
  const client = new PlatformClient(stack.urls, operatorKey);
  const projects: string[] = [];

  const platform: Platform = {
    stack,
    api,
    client,
    accountToken,
    async bundle(edit = () => {}) {
      // Inside the repository, so that the sample's imports resolve; its finished component comes along.
      const project = await mkdtemp(join(ROOT, '.runtime/e2e-'));
      projects.push(project);
      await cp(SAMPLE, project, { recursive: true });
      const manifest = JSON.parse(await readFile(join(SAMPLE, 'manifest.json'), 'utf8')) as Record<string, unknown>;
      manifest.egress = [api.origin];
      edit(manifest);
      await writeFile(join(project, 'manifest.json'), JSON.stringify(manifest));
      const built = await buildComponent(project);
      if (!built.ok) throw new Error(renderProblem(built.problem));
      const packed = await packBundle(project);
      if (!packed.ok) throw new Error(renderProblem(packed.problem));
      return readFile(packed.value.path);
    },
    async tenant(id) {
      const { capabilities } = JSON.parse(await readFile(join(SAMPLE, 'manifest.json'), 'utf8')) as {
        capabilities: string[];
      };
      await client.admin('PUT', `/v1/tenants/${id}`, { displayName: id });
      await client.admin('PUT', installPath(id), {
        config: { alga_api_url: api.origin, page_size: 5 },
        grants: { capabilities, egress: [api.origin] },
      });
      await client.admin('PUT', `${installPath(id)}/secrets/alga_api_key`, { reference: KEY_REFERENCE });
      await client.admin('PUT', `${installPath(id)}/secrets/alga_account_token`, { value: accountToken });
      const created = await client.admin('POST', `/v1/tenants/${id}/api-keys`, { name: 'calls', scopes: ['invoke'] });
      return (created as { key: string }).key;
    },
    async writeKey(generation) {
      const value = randomBytes(24).toString('base64url');
      api.acceptKey(value, generation);
      const path = join(stack.secretsDir, 'ticket-sync-api-key');
      await writeFile(`${path}.new`, value, { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
    async webhookSecret() {
      const file = JSON.parse(await readFile(join(stack.keysDir, 'webhook-secrets.json'), 'utf8')) as {
        sources: { secrets: string[] }[];
      };
      return file.sources[0]?.secrets[0] ?? '';
    },
    async close() {
      await Promise.allSettled([api.close(), stack.stop()]);
      await Promise.all([dir, ...projects].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
  return platform;
}
