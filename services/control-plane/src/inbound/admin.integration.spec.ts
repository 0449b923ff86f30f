import { channels, type InstallChanged } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { sampleManifest } from '../test-support/peers.ts';
import { codeOf, installSample, type Platform, startPlatform } from '../test-support/platform.ts';

let platform: Platform;
const events: InstallChanged[] = [];

beforeAll(async () => {
  platform = await startPlatform([
    sampleManifest('1.0.0'),
    sampleManifest('1.1.0', { secrets: [{ key: 'alga_api_key' }], egress: ['https://api.example'] }),
  ]);
  platform.bus.listen(channels.installChanged, (event) => {
    events.push(event);
  });
}, 120_000);

afterAll(() => platform?.stop(), 60_000);

const eventOf = (installId: string, secretsVersion: number) =>
  waitUntil(() => events.some((e) => e.installId === installId && e.secretsVersion === secretsVersion), {
    deadlineMs: 5_000,
  });

describe('who may administer what', () => {
  it('refuses a request without a key, with an unknown key and with an odd header, as problem documents', async () => {
    for (const key of ['', 'alga_nothing-like-this', 'x']) {
      const answer = await platform.request('GET', '/v1/tenants/acme/installs', undefined, key);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.body).toMatchObject({ code: 'unauthenticated', requestId: expect.any(String) });
    }
  });

  it('lets a tenant admin act within its tenant only, and a key without the scope nowhere', async () => {
    await installSample(platform, 'mine');
    await installSample(platform, 'theirs');
    const keyFor = async (scopes: string[]) =>
      (await platform.request('POST', '/v1/tenants/mine/api-keys', { name: 'k', scopes })).body.key as string;
    const admin = await keyFor(['admin']);
    const invoke = await keyFor(['invoke']);
    const value = { value: 'stolen-away-value' };
    expect((await platform.request('GET', '/v1/tenants/mine/installs', undefined, admin)).status).toBe(200);
    for (const [method, url, body] of [
      ['GET', '/v1/tenants/theirs/installs', undefined],
      ['PUT', '/v1/tenants/theirs', { displayName: 'Mine now' }],
      ['PUT', '/v1/tenants/theirs/installs/ticket-sync/secrets/alga_api_key', value],
      ['DELETE', '/v1/tenants/theirs/installs/ticket-sync', undefined],
      ['POST', '/v1/tenants/theirs/api-keys', { name: 'k', scopes: ['admin'] }],
    ] as const) {
      for (const key of [admin, invoke]) {
        const answer = await platform.request(method, url, body, key);
        expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
      }
    }
    expect((await platform.request('GET', '/v1/tenants/mine/installs', undefined, invoke)).status).toBe(403);
  });

  it('lets only an operator give the scope publish, and nobody the scope operator', async () => {
    await installSample(platform, 'scopes');
    const admin = (await platform.request('POST', '/v1/tenants/scopes/api-keys', { name: 'a', scopes: ['admin'] })).body
      .key;
    const asAdmin = await platform.request(
      'POST',
      '/v1/tenants/scopes/api-keys',
      { name: 'p', scopes: ['publish'] },
      admin,
    );
    expect(asAdmin.body).toMatchObject({ code: 'forbidden', errors: [{ field: '/scopes' }] });
    const asOperator = await platform.request('POST', '/v1/tenants/scopes/api-keys', {
      name: 'p',
      scopes: ['publish'],
    });
    expect(asOperator.status).toBe(201);
    const operator = await platform.request('POST', '/v1/tenants/scopes/api-keys', { name: 'o', scopes: ['operator'] });
    expect(operator.body.code).toBe('bad_request');
  });

  it('shows a key once, lists it without its text, and refuses it from the moment it is revoked', async () => {
    await installSample(platform, 'keys');
    const made = await platform.request('POST', '/v1/tenants/keys/api-keys', {
      name: 'ci',
      scopes: ['admin', 'invoke'],
      expiresInDays: 1,
    });
    const { keyId, key } = made.body;
    expect(made.headers.get('cache-control')).toBe('no-store');
    const listed = await platform.request('GET', '/v1/tenants/keys/api-keys', undefined, key);
    expect(listed.body.apiKeys).toEqual([
      expect.objectContaining({ keyId, name: 'ci', scopes: ['admin', 'invoke'], lastUsedAt: expect.any(String) }),
    ]);
    expect(JSON.stringify(listed.body)).not.toContain(key);
    expect((await platform.request('DELETE', `/v1/tenants/keys/api-keys/${keyId}`)).status).toBe(204);
    expect((await platform.request('GET', '/v1/tenants/keys/api-keys', undefined, key)).status).toBe(401);
    expect((await platform.request('DELETE', '/v1/tenants/keys/api-keys/key_unknown')).body.code).toBe('not_found');
  });
});

describe('what a request must look like', () => {
  it.each([
    ['GET', '/v1/tenants/ACME/installs', undefined, 'bad_request', '/tenantId'],
    ['GET', '/v1/tenants/acme/installs/__proto__', undefined, 'bad_request', '/extensionId'],
    ['PUT', '/v1/tenants/acme/installs/ticket-sync/secrets/constructor', { value: 'x' }, 'bad_request', '/secretKey'],
    ['PUT', '/v1/tenants/acme', {}, 'bad_request', '/displayName'],
    ['PUT', '/v1/tenants/acme', { displayName: 'A\u0000' }, 'bad_request', '/displayName'],
    ['PUT', '/v1/tenants/acme', { displayName: 'A', admin: true }, 'bad_request', '/admin'],
    [
      'PUT',
      '/v1/tenants/acme/installs/ticket-sync/grants',
      { capabilities: ['X'], egress: [] },
      'bad_request',
      '/capabilities/0',
    ],
    [
      'PUT',
      '/v1/tenants/acme/installs/ticket-sync/secrets/k',
      { reference: 'vault:../x' },
      'bad_request',
      '/reference',
    ],
  ])('%s %s %j is refused with %s naming %s', async (method, url, body, code, field) => {
    const answer = await platform.request(method, url, body);
    expect(answer.body).toMatchObject({ code, errors: [{ field }] });
  });

  it('refuses a body that is not JSON, one with __proto__, and one over the limit with the limit', async () => {
    const url = '/v1/tenants/acme';
    expect((await platform.request('PUT', url, '{"displayName":')).body.code).toBe('bad_request');
    expect((await platform.request('PUT', url, '{"displayName":"x","__proto__":{"a":1}}')).body.code).toBe(
      'bad_request',
    );
    const huge = await platform.request('PUT', url, { displayName: 'x'.repeat(600_000) });
    expect(huge.body).toMatchObject({ code: 'body_too_large', status: 413, limit: 512 * 1024 });
  });

  it('tells an unknown tenant from an unknown extension', async () => {
    expect((await platform.request('GET', '/v1/tenants/nobody/installs')).body.code).toBe('not_found');
    expect(
      (await platform.request('POST', '/v1/tenants/nobody/api-keys', { name: 'k', scopes: ['invoke'] })).body.code,
    ).toBe('not_found');
    await installSample(platform, 'known');
    expect((await platform.request('GET', '/v1/tenants/known/installs/other')).body.code).toBe('extension_not_found');
    const body = { config: {}, grants: { capabilities: [], egress: [] } };
    const unpublished = await platform.request('PUT', '/v1/tenants/known/installs/other', body);
    expect(unpublished.body).toMatchObject({ code: 'extension_not_found', detail: 'The registry has no other.' });
    const orphan = await platform.request('PUT', '/v1/tenants/nobody/installs/ticket-sync', {
      config: { api_url: 'x' },
      grants: { capabilities: [], egress: [] },
    });
    expect(orphan.body.code).toBe('not_found');
  });
});

describe('installing', () => {
  it('creates once, then changes nothing for the same content, and tells readers about each real change', async () => {
    const first = await installSample(platform, 'idem');
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      installId: expect.stringMatching(/^ticket-sync-[a-z2-7]{8}$/),
      status: 'active',
      version: '1.0.0',
      configVersion: 1,
      secretsVersion: 1,
      secrets: [
        { key: 'account_token', declared: true, required: false, status: 'missing' },
        { key: 'alga_api_key', declared: true, required: true, status: 'missing' },
      ],
    });
    const again = await installSample(platform, 'idem');
    expect([again.status, again.body]).toEqual([200, first.body]);

    const upgraded = await platform.request('PUT', '/v1/tenants/idem/installs/ticket-sync', {
      config: { api_url: 'https://api.example', page_size: 5 },
      grants: { capabilities: ['secrets.get'], egress: ['https://api.example'] },
    });
    expect(upgraded.body).toMatchObject({
      version: '1.1.0',
      configVersion: 2,
      secretsVersion: 2,
      installId: first.body.installId,
    });
    expect(await eventOf(first.body.installId, 2)).toBe(true);
    expect(events.find((e) => e.installId === first.body.installId && e.secretsVersion === 2)).toMatchObject({
      change: 'version',
      status: 'active',
      configVersion: 2,
    });
  });

  it('makes one install of ten that are asked for at once', async () => {
    await platform.request('PUT', '/v1/tenants/rush', { displayName: 'Rush' });
    const answers = await Promise.all(Array.from({ length: 10 }, () => installSample(platform, 'rush')));
    expect(new Set(answers.map((a) => a.body.installId)).size).toBe(1);
    expect(answers.filter((a) => a.status === 201)).toHaveLength(1);
  });

  it('refuses configuration that the manifest does not declare, naming each key', async () => {
    await installSample(platform, 'conf');
    const put = (config: unknown) =>
      platform.request('PUT', '/v1/tenants/conf/installs/ticket-sync/config', { config });
    const bad = await put({ page_size: '5', colour: 'red', nested: {} });
    expect(bad.body).toMatchObject({ code: 'config_invalid' });
    expect(bad.body.errors).toEqual([
      { field: '/config/page_size', reason: 'must be a number' },
      { field: '/config/colour', reason: 'is not declared in the manifest' },
      { field: '/config/nested', reason: 'is not declared in the manifest' },
      { field: '/config/api_url', reason: 'is required' },
    ]);
    const good = await put({ page_size: 5, api_url: 'a' });
    expect(good.body).toMatchObject({ config: { api_url: 'a', page_size: 5 }, configVersion: 2, secretsVersion: 2 });
    expect((await put({ api_url: 'a', page_size: 5 })).body.configVersion).toBe(2);
  });

  it('refuses grants beyond the manifest, naming them, and keeps those that were (I6)', async () => {
    await installSample(platform, 'grants');
    const put = (grants: unknown) => platform.request('PUT', '/v1/tenants/grants/installs/ticket-sync/grants', grants);
    const beyond = await put({ capabilities: ['secrets.get', 'http.fetch'], egress: ['https://evil.example'] });
    expect(beyond.body).toMatchObject({
      code: 'capability_undeclared',
      errors: [
        { field: '/capabilities/1', reason: 'http.fetch is not declared in the manifest' },
        { field: '/egress/0', reason: 'https://evil.example is not declared in the manifest' },
      ],
    });
    expect((await put({ capabilities: ['no.such'], egress: [] })).body.code).toBe('capability_unknown');
    expect((await platform.resolve('grants')).secretsEnvelope.version).toBe(1);
    const narrowed = await put({ capabilities: ['config.read'], egress: [] });
    expect(narrowed.body).toMatchObject({
      effective: { capabilities: ['config.read'], egress: [] },
      secretsVersion: 2,
    });
  });

  it('suspends, resumes and uninstalls, each acting on the next resolve', async () => {
    const { installId } = (await installSample(platform, 'life')).body;
    const base = '/v1/tenants/life/installs/ticket-sync';
    await platform.request('PUT', `${base}/secrets/alga_api_key`, { value: 'life-secret-value' });
    expect((await platform.request('POST', `${base}/suspend`)).body).toMatchObject({
      status: 'suspended',
      secretsVersion: 3,
    });
    expect((await platform.request('POST', `${base}/suspend`)).body.secretsVersion).toBe(3);
    expect(await codeOf(platform.resolve('life'))).toBe('install_suspended');
    expect((await platform.request('POST', `${base}/resume`)).body).toMatchObject({
      status: 'active',
      secretsVersion: 4,
    });
    expect(await codeOf(platform.resolve('life'))).toBeUndefined();
    expect((await platform.request('DELETE', base)).body).toMatchObject({ status: 'uninstalled', secretsVersion: 5 });
    expect(await codeOf(platform.resolve('life'))).toBe('extension_not_found');
    expect((await platform.request('GET', base)).body.code).toBe('extension_not_found');
    expect(await eventOf(installId, 5)).toBe(true);
    const material = await platform.bus.request(
      channels.secretsMaterial,
      { tenantId: 'life', installId },
      { deadlineMs: 5_000 },
    );
    expect(material).toMatchObject({ status: 'uninstalled', secretsVersion: 5, secrets: [] });
    expect((await installSample(platform, 'life')).body.installId).not.toBe(installId);
  });
});

describe('a running service', () => {
  it('is ready, and logs neither keys nor tokens', async () => {
    expect((await platform.request('GET', '/readyz')).body).toMatchObject({
      ready: true,
      checks: { postgres: true, nats: true },
    });
    const log = await platform.service.log();
    for (const secret of [platform.operatorKey, platform.internalToken]) expect(log).not.toContain(secret);
  });
});
