import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { channels, parse } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { openPostgres } from '@alga/storage';
import { compactVerify, createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { sql } from 'kysely';
import { sampleManifest } from '../test-support/peers.ts';
import { ALL_GRANTS, codeOf, installSample, type Platform, startPlatform } from '../test-support/platform.ts';

const DEADLINE = { deadlineMs: 5_000 };
let platform: Platform;

beforeAll(async () => {
  platform = await startPlatform([
    sampleManifest('1.0.0'),
    sampleManifest('2.0.0', { secrets: [{ key: 'alga_api_key' }] }),
  ]);
}, 120_000);

afterAll(() => platform?.stop(), 60_000);

const secretUrl = (tenantId: string, key = 'alga_api_key') =>
  `/v1/tenants/${tenantId}/installs/ticket-sync/secrets/${key}`;
const putSecret = (tenantId: string, body: unknown, key = 'alga_api_key') =>
  platform.request('PUT', secretUrl(tenantId, key), body);

describe('the envelope', () => {
  it('carries exactly the strict claims of the install, signed under the published key, for 60 s', async () => {
    const { installId } = (
      await installSample(platform, 'env', { capabilities: ['secrets.get'], egress: ['https://other.example'] })
    ).body;
    const reply = await platform.resolve('env');
    const jwks = JSON.parse(
      await readFile(path.join(platform.keysDir, 'envelope-public.jwks'), 'utf8'),
    ) as JSONWebKeySet;
    const { token, version, expiresAt, keyId } = reply.secretsEnvelope;
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'Ed25519', typ: 'alga-envelope+jwt', kid: keyId });
    const { payload } = await compactVerify(token, createLocalJWKSet(jwks), { algorithms: ['Ed25519'] });
    const claims = parse('envelope-claims', JSON.parse(new TextDecoder().decode(payload)));
    if (!claims.ok) throw new Error(JSON.stringify(claims.errors));
    expect(claims.value).toMatchObject({
      tenantId: 'env',
      installId,
      extensionId: 'ticket-sync',
      version: '1.0.0',
      contentHash: reply.contentHash,
      capabilities: ['secrets.get'],
      egress: ['https://other.example'],
      sv: version,
      configSha256: createHash('sha256').update(reply.config).digest('hex'),
    });
    expect(claims.value.exp - claims.value.iat).toBe(60);
    expect(expiresAt).toBe(claims.value.exp * 1000);
    expect((await platform.resolve('env')).secretsEnvelope.token).not.toBe(token);
  });

  it('is refused to an unknown tenant and an unknown extension alike, and ids that are none are named', async () => {
    expect(await codeOf(platform.resolve('nobody'))).toBe('extension_not_found');
    expect(await codeOf(platform.resolve('env', 'nothing'))).toBe('extension_not_found');
  });

  it('is the same over HTTP, for the internal token only', async () => {
    await installSample(platform, 'http');
    const url = '/internal/runner/install-config';
    const body = { tenant_id: 'http', extension_id: 'ticket-sync' };
    const answer = await platform.request('POST', url, body, platform.internalToken);
    const direct = await platform.resolve('http');
    expect(parse('install-config-reply', answer.body)).toMatchObject({ ok: true });
    expect(answer.body).toMatchObject({
      config: { api_url: 'https://api.example' },
      config_json: direct.config,
      version: '1.0.0',
      install_id: direct.installId,
      content_hash: direct.contentHash,
      secrets_envelope: { version: direct.secretsEnvelope.version, keyId: direct.secretsEnvelope.keyId },
    });
    for (const key of ['', platform.operatorKey, `${platform.internalToken}x`]) {
      expect((await platform.request('POST', url, body, key)).body.code).toBe('unauthenticated');
    }
    const odd = await platform.request('POST', url, { ...body, tenant_id: '../x' }, platform.internalToken);
    expect(odd.body).toMatchObject({ code: 'bad_request', errors: [{ field: '/tenant_id' }] });
    const unknown = await platform.request('POST', url, { ...body, extension_id: 'none' }, platform.internalToken);
    expect(unknown.body.code).toBe('extension_not_found');
    await platform.request('POST', '/v1/tenants/http/installs/ticket-sync/suspend');
    const suspended = await platform.request('POST', url, body, platform.internalToken);
    expect(suspended.body).toMatchObject({ code: 'install_suspended', status: 403 });
  });
});

describe('API keys on the bus', () => {
  const verify = (key: string) =>
    platform.bus.request(
      channels.apikeyVerify,
      { keySha256: createHash('sha256').update(key).digest('hex') },
      DEADLINE,
    );

  it('are known by their hash, with tenant and scopes, until they are revoked', async () => {
    await installSample(platform, 'verify');
    const { key, keyId } = (
      await platform.request('POST', '/v1/tenants/verify/api-keys', { name: 'k', scopes: ['invoke'] })
    ).body;
    expect(await verify(key)).toEqual({ keyId, tenantId: 'verify', scopes: ['invoke'] });
    expect(await verify(platform.operatorKey)).toEqual({ keyId: 'operator', scopes: ['operator', 'publish', 'admin'] });
    expect(await codeOf(verify(`${key}x`))).toBe('unauthenticated');
    await platform.request('DELETE', `/v1/tenants/verify/api-keys/${keyId}`);
    expect(await codeOf(verify(key))).toBe('unauthenticated');
  });
});

describe('secrets', () => {
  it('are sealed for the broker, answered with the epoch alone, and found nowhere in the database or the log (I3)', async () => {
    const canary = 'canary-5f1c9e7a "quoted" \u00fc\nsecond line';
    const { installId } = (await installSample(platform, 'sealed')).body;
    const set = await putSecret('sealed', { value: canary });
    expect([set.status, set.body]).toEqual([200, { secretsVersion: 2 }]);
    expect(platform.broker.sealed.get(`sealed|${installId}|alga_api_key`)).toBe(canary);
    const shown = await platform.request('GET', '/v1/tenants/sealed/installs/ticket-sync');
    expect(shown.body.secrets).toContainEqual({
      key: 'alga_api_key',
      declared: true,
      required: true,
      status: 'set',
      kind: 'sealed',
      updatedAt: expect.any(String),
    });

    const db = await openPostgres<Record<string, never>>({
      url: platform.databaseUrl,
      maxConnections: 1,
      onError: () => {},
    });
    try {
      const dump = await sql<{ dump: string }>`select database_to_xml(true, false, '')::text as dump`.execute(db);
      const text = dump.rows[0]?.dump ?? '';
      expect(text).toContain(installId); // the sweep sees what is there
      const log = await platform.service.log();
      for (const form of [
        'canary-5f1c9e7a',
        ...['base64', 'hex'].map((e) => Buffer.from('canary-5f1c9e7a').toString(e as 'hex')),
      ]) {
        expect(text.includes(form)).toBe(false);
        expect(log.includes(form)).toBe(false);
        expect(JSON.stringify(shown.body).includes(form)).toBe(false);
      }
    } finally {
      await db.destroy();
    }
    const material = await platform.bus.request(channels.secretsMaterial, { tenantId: 'sealed', installId }, DEADLINE);
    expect(material).toMatchObject({
      status: 'active',
      secretsVersion: 2,
      secrets: [{ key: 'alga_api_key', kind: 'sealed' }],
    });
  });

  it("may be references at an operator's word only: a tenant's key would reach what other tenants keep there", async () => {
    const { installId } = (await installSample(platform, 'own-refs')).body;
    const created = await platform.request('POST', '/v1/tenants/own-refs/api-keys', { name: 'a', scopes: ['admin'] });
    const { key } = created.body;
    for (const reference of ['file:refs-key', 'vault:kv/other/api#key', 'env:OTHER', 'chain:other']) {
      const refused = await platform.request('PUT', secretUrl('own-refs'), { reference }, key);
      expect(refused).toMatchObject({ status: 403, body: { code: 'forbidden', errors: [{ field: '/reference' }] } });
    }
    expect((await platform.request('PUT', secretUrl('own-refs'), { value: 'its own' }, key)).status).toBe(200);
    const material = await platform.bus.request(
      channels.secretsMaterial,
      { tenantId: 'own-refs', installId },
      DEADLINE,
    );
    expect(material.secrets).toMatchObject([{ key: 'alga_api_key', kind: 'sealed' }]);
  });

  it('may be references; the broker gets those of the installed version only', async () => {
    const { installId } = (await installSample(platform, 'refs')).body;
    await putSecret('refs', { reference: 'file:refs-key' });
    await putSecret('refs', { reference: 'env:REFS_TOKEN' }, 'account_token');
    const material = () => platform.bus.request(channels.secretsMaterial, { tenantId: 'refs', installId }, DEADLINE);
    expect((await material()).secrets).toEqual([
      { key: 'alga_api_key', kind: 'reference', reference: 'file:refs-key' },
      { key: 'account_token', kind: 'reference', reference: 'env:REFS_TOKEN' },
    ]);
    await platform.request('PUT', '/v1/tenants/refs/installs/ticket-sync', {
      version: '2.0.0',
      config: { api_url: 'a' },
      grants: ALL_GRANTS,
    });
    expect((await material()).secrets).toHaveLength(1);
    const { secrets } = (await platform.request('GET', '/v1/tenants/refs/installs/ticket-sync')).body;
    expect(secrets).toContainEqual(expect.objectContaining({ key: 'account_token', declared: false, status: 'set' }));
    expect((await platform.request('DELETE', secretUrl('refs', 'account_token'))).body.secretsVersion).toBe(5);
    const other = platform.bus.request(channels.secretsMaterial, { tenantId: 'env', installId }, DEADLINE);
    expect(await codeOf(other)).toBe('extension_not_found');
  });

  it('are refused when undeclared, too large, empty, in both forms or in none', async () => {
    await installSample(platform, 'bad');
    expect((await putSecret('bad', { value: 'x' }, 'not_declared')).body).toMatchObject({
      code: 'secret_undeclared',
      errors: [{ field: '/secretKey', reason: 'not_declared is not declared in the manifest' }],
    });
    const over = await putSecret('bad', { value: 'x'.repeat(65_537) });
    expect(over.body).toMatchObject({ code: 'body_too_large', limit: 65_536 });
    const wide = await putSecret('bad', { value: 'ü'.repeat(40_000) });
    expect(wide.body).toMatchObject({ code: 'body_too_large', limit: 65_536 });
    for (const body of [{ value: '' }, {}, { value: 'x', reference: 'file:x' }, { value: '\ud800' }, null, [], 'x']) {
      expect((await putSecret('bad', body)).body.code).toBe('bad_request');
    }
    expect((await putSecret('bad', { value: '\u0001'.repeat(65_536) })).body).toEqual({ secretsVersion: 2 });
    expect((await platform.request('DELETE', secretUrl('bad', 'not_declared'))).body.code).toBe('secret_undeclared');
    expect((await platform.request('DELETE', secretUrl('bad', 'account_token'))).body).toEqual({ secretsVersion: 2 });
    expect((await platform.request('DELETE', secretUrl('bad'))).body).toEqual({ secretsVersion: 3 });
  });

  it('move the epoch once per change and never backward, under concurrent changes of every kind (I1)', async () => {
    const { installId } = (await installSample(platform, 'epoch')).body;
    await putSecret('epoch', { reference: 'file:epoch-key' }, 'account_token');
    const base = '/v1/tenants/epoch/installs/ticket-sync';
    const seen: number[] = [];
    let watching = true;
    const watcher = (async () => {
      while (watching) seen.push((await platform.resolve('epoch')).secretsEnvelope.version);
    })();
    const changed = () =>
      platform.bus.request(channels.secretsChanged, { references: ['file:epoch-key'], cause: 'webhook' }, DEADLINE);
    const versions = await Promise.all(
      Array.from({ length: 30 }, async (_, n) => {
        if (n % 3 === 0) return (await changed()).installs[0]?.secretsVersion;
        if (n % 3 === 1) return (await putSecret('epoch', { value: `value-number-${n}` })).body.secretsVersion;
        const config = { api_url: `https://${n}.example` };
        return (await platform.request('PUT', `${base}/config`, { config })).body.secretsVersion;
      }),
    );
    watching = false;
    await watcher;
    expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n + 3));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect((await platform.resolve('epoch')).secretsEnvelope.version).toBe(32);
    expect((await platform.request('GET', base)).body).toMatchObject({ installId, configVersion: 11 });
  });

  it('that share a source move together, in one transaction, whoever owns them', async () => {
    const tenants = ['shared-a', 'shared-b', 'shared-c'];
    for (const tenantId of tenants) {
      await installSample(platform, tenantId);
      await putSecret(tenantId, { reference: 'vault:kv/shared/api#key' });
    }
    await installSample(platform, 'unshared');
    await platform.request('DELETE', '/v1/tenants/shared-c/installs/ticket-sync');
    const rotate = () =>
      platform.bus.request(
        channels.secretsChanged,
        { references: ['vault:kv/shared/api#key', 'file:unused'], cause: 'webhook', eventId: 'e1' },
        DEADLINE,
      );
    const replies = await Promise.all(Array.from({ length: 8 }, rotate));
    for (const { installs } of replies)
      expect(installs.map((i) => i.tenantId).sort()).toEqual(['shared-a', 'shared-b']);
    for (const tenantId of ['shared-a', 'shared-b']) {
      expect((await platform.resolve(tenantId)).secretsEnvelope.version).toBe(10);
    }
    expect((await platform.resolve('unshared')).secretsEnvelope.version).toBe(1);
  });

  // Last: the broker does not come back.
  it('answer 503 secrets_unavailable while the broker is down, and store nothing', async () => {
    await installSample(platform, 'down');
    await platform.stopBroker();
    const gone = async () =>
      (await putSecret('down', { value: 'never-stored-value' })).body.code === 'secrets_unavailable';
    expect(await waitUntil(gone, { deadlineMs: 10_000 })).toBe(true);
    const answer = await putSecret('down', { value: 'never-stored-value' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect((await platform.request('GET', '/v1/tenants/down/installs/ticket-sync')).body.secretsVersion).toBe(1);
    expect((await platform.service.log()).includes('never-stored-value')).toBe(false);
  });
});
