// A core module of the old raw ABI, from its author's folder to an answer of the gateway.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packBundle, renderProblem } from '@alga/cli';
import { buildLegacy, ROUTES } from '@alga/fixtures';
import { jest } from '@jest/globals';
import { EXTENSION, type Platform, startPlatform } from './testing.ts';

jest.setTimeout(180_000);

const LEGACY = 'old-one';
const MANIFEST = {
  manifestVersion: 1,
  extensionId: LEGACY,
  version: '1.0.0',
  title: 'An extension from before the component model',
  runtime: 'legacy',
  component: 'component.wasm',
  capabilities: ['context.read', 'logging.write', 'http.fetch'],
};

let platform: Platform;
let key: string;
beforeAll(async () => {
  platform = await startPlatform({ runners: 1 });
});
afterAll(() => platform?.close());

/** The guest says JSON and no content type: the client leaves it text. */
async function called(url: string, options?: Parameters<Platform['client']['call']>[3]) {
  const { status, body, headers } = await platform.client.call(key, LEGACY, url, options);
  return { status, headers, body: typeof body === 'string' ? (JSON.parse(body) as unknown) : body };
}

async function legacyBundle(): Promise<Uint8Array> {
  const project = await mkdtemp(join(tmpdir(), 'alga-legacy-'));
  try {
    await mkdir(join(project, 'dist'));
    await writeFile(join(project, 'manifest.json'), JSON.stringify(MANIFEST));
    await writeFile(join(project, 'dist/component.wasm'), await buildLegacy('assemblyscript'));
    const packed = await packBundle(project);
    if (!packed.ok) throw new Error(renderProblem(packed.problem));
    return await readFile(packed.value.path);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

describe('a legacy core module', () => {
  it('is published with a notice that its runtime is deprecated', async () => {
    expect(await platform.client.publish(await legacyBundle())).toMatchObject({
      status: 201,
      body: { extensionId: LEGACY, runtime: 'legacy', engine: 'legacy', deprecated: expect.any(String) },
    });
  });

  it('answers through the gateway under its install, and each answer says that it is legacy', async () => {
    await platform.client.admin('PUT', '/v1/tenants/acme', { displayName: 'acme' });
    await platform.client.admin('PUT', `/v1/tenants/acme/installs/${LEGACY}`, {
      config: {},
      grants: { capabilities: MANIFEST.capabilities, egress: [] },
    });
    const created = await platform.client.admin('POST', '/v1/tenants/acme/api-keys', {
      name: 'calls',
      scopes: ['invoke'],
    });
    ({ key } = created as { key: string });
    const answer = await called(ROUTES.context);
    expect(answer).toMatchObject({
      status: 200,
      body: {
        tenantId: 'acme',
        extensionId: LEGACY,
        versionId: '1.0.0',
        requestId: answer.headers.get('x-request-id'),
      },
    });
    expect(answer.headers.get('x-ext-runtime')).toBe('legacy');
    for (let call = 0; call < 2; call++) {
      expect(await called(ROUTES.state, { method: 'POST', body: '"left"' })).toMatchObject({
        status: 200,
        body: { calls: 1, leftover: '' },
      });
    }
  });

  it('that traps is 502 guest_trap, and answers the next call', async () => {
    const trapped = await called(ROUTES.trap);
    expect(trapped).toMatchObject({ status: 502, body: { code: 'guest_trap' } });
    expect((await called(ROUTES.state)).body).toEqual({ calls: 1, leftover: '' });
  });

  it('lends its mark to no component', async () => {
    await platform.writeKey(1);
    expect(await platform.client.publish(await platform.bundle())).toMatchObject({ status: 201 });
    const answer = await platform.client.call(await platform.tenant('modern'), EXTENSION, '/tickets');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-ext-runtime')).toBeNull();
  });
});
