import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeFrame, encodeFrame } from '@alga/contracts';
import { jest } from '@jest/globals';
import { callConcurrently, staleReads } from './calls.ts';
import { EXTENSION, installPath, KEY_REFERENCE, type Platform, startPlatform, until } from './testing.ts';

jest.setTimeout(180_000);

let platform: Platform;
let acme: string;
beforeAll(async () => {
  platform = await startPlatform({ runners: 2 });
  await platform.writeKey(1);
  const published = await platform.client.publish(await platform.bundle());
  expect(published).toMatchObject({ status: 201, body: { extensionId: EXTENSION } });
  acme = await platform.tenant('acme');
});
afterAll(() => platform?.close());

const sync = (key = acme) => platform.client.call(key, EXTENSION, '/sync', { method: 'POST' });
const tickets = (key = acme) => platform.client.call(key, EXTENSION, '/tickets');
const generationOf = (body: unknown): number | undefined => (body as { keyGeneration?: number }).keyGeneration;

describe('a call', () => {
  it('runs the extension with its config, both kinds of secret, the outbound API and its storage', async () => {
    const first = await sync();
    expect(first).toMatchObject({ status: 200, body: { synced: 5, keyGeneration: 1 } });
    const second = await sync();
    expect((second.body as { cursor: string }).cursor).not.toBe((first.body as { cursor: string }).cursor);
    expect(first.headers.get('x-ext-config-version')).toMatch(/^[1-9][0-9]*$/);
    expect(first.headers.get('x-ext-secrets-version')).toMatch(/^[1-9][0-9]*$/);
    expect(first.headers.get('x-request-id')).toBe((first.body as { requestId: string }).requestId);
  });

  it('finds a secret that is not set missing, as an outcome of its own', async () => {
    expect(await platform.client.call(acme, EXTENSION, '/secret-missing')).toMatchObject({
      body: { error: 'missing' },
    });
  });

  it.each([
    ['a wrong key', 'alga_wrong', EXTENSION, 401, 'unauthenticated'],
    ['an unknown extension', undefined, 'no-such-extension', 404, 'extension_not_found'],
  ])('with %s is refused with its own code', async (_, key, extension, status, code) => {
    const answer = await platform.client.call(key ?? acme, extension, '/tickets');
    expect(answer).toMatchObject({ status, body: { code, requestId: answer.headers.get('x-request-id') } });
  });

  it('of another tenant runs under that tenant alone', async () => {
    await platform.client.admin('PUT', '/v1/tenants/empty', { displayName: 'empty' });
    const created = await platform.client.admin('POST', '/v1/tenants/empty/api-keys', {
      name: 'k',
      scopes: ['invoke'],
    });
    const answer = await platform.client.call((created as { key: string }).key, EXTENSION, '/tickets');
    expect(answer).toMatchObject({ status: 404, body: { code: 'extension_not_found' } });
  });

  it('with a body over the limit is refused with the limit', async () => {
    const body = 'x'.repeat(2 * 1024 * 1024);
    const answer = await platform.client.call(acme, EXTENSION, '/sync', { method: 'POST', body });
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large', limit: expect.any(Number) } });
  });

  it('to a suspended install is refused until it is resumed', async () => {
    const key = await platform.tenant('paused');
    expect((await sync(key)).status).toBe(200);
    await platform.client.admin('POST', `${installPath('paused')}/suspend`);
    expect(await sync(key)).toMatchObject({ status: 403, body: { code: 'install_suspended' } });
    await platform.client.admin('POST', `${installPath('paused')}/resume`);
    expect((await sync(key)).status).toBe(200);
  });
});

describe('the internal entrances', () => {
  it('share their code with the bus: install-config gives an envelope, POST /v1/execute runs it', async () => {
    const secret = async (name: string) => (await readFile(join(platform.stack.keysDir, name), 'utf8')).trim();
    const [token, runnerToken] = [await secret('internal-token'), await secret('runner-token')];
    const post = (url: string, body: string | Uint8Array<ArrayBuffer>, type: string, bearer: string) =>
      fetch(url, { method: 'POST', headers: { authorization: `Bearer ${bearer}`, 'content-type': type }, body });
    const configUrl = `${platform.stack.urls.controlPlane}/internal/runner/install-config`;
    const ask = JSON.stringify({ tenant_id: 'acme', extension_id: EXTENSION });
    for (const wrong of ['wrong', runnerToken]) {
      expect((await post(configUrl, ask, 'application/json', wrong)).status).toBe(401);
    }
    const granted = await post(configUrl, ask, 'application/json', token);
    expect(granted.status).toBe(200);
    const install = (await granted.json()) as {
      config: Record<string, unknown>;
      secrets_envelope: { token: string };
      version: string;
      install_id: string;
    };
    expect(install).toMatchObject({ config: { page_size: 5 }, version: expect.anything() });

    const head = {
      requestId: 'internal-0001',
      tenantId: 'acme',
      extensionId: EXTENSION,
      installId: install.install_id,
      config: JSON.stringify(install.config),
      envelope: install.secrets_envelope.token,
      http: { method: 'GET', url: '/tickets', headers: [], hasBody: false },
    };
    const executeUrl = `${platform.stack.urls.runners[0]}/v1/execute`;
    const frame = new Uint8Array(encodeFrame(head, new Uint8Array()));
    expect((await post(executeUrl, frame, 'application/octet-stream', 'wrong')).status).toBe(401);
    const executed = await post(executeUrl, frame, 'application/octet-stream', runnerToken);
    const reply = decodeFrame(new Uint8Array(await executed.arrayBuffer()));
    expect(reply).toMatchObject({ ok: true, value: { head: { requestId: 'internal-0001', status: 200 } } });

    const foreign = new Uint8Array(encodeFrame({ ...head, tenantId: 'paused' }, new Uint8Array()));
    const refused = await post(executeUrl, foreign, 'application/octet-stream', runnerToken);
    expect(await refused.json()).toMatchObject({ code: 'envelope_mismatch' });
  });
});

describe('publishing', () => {
  it.each([
    ['bytes that are no bundle', async () => new TextEncoder().encode('not a bundle'), 'bundle_invalid'],
    [
      'a manifest with an unknown capability',
      () =>
        platform.bundle((manifest) => Object.assign(manifest, { version: '1.0.1', capabilities: ['secrets.steal'] })),
      'capability_unknown',
    ],
    [
      'another component under a published version',
      () => platform.bundle((manifest) => Object.assign(manifest, { title: 'Another title' })),
      'version_exists',
    ],
  ])('refuses %s with its own code', async (_, bundle, code) => {
    // `alga bundle` refuses what the registry would: such a bundle never leaves the author's machine.
    const packed = await bundle().catch((error: unknown) => String(error));
    if (typeof packed === 'string') expect(packed).toContain(code);
    else expect(await platform.client.publish(packed)).toMatchObject({ body: { code } });
  });
});

describe('rotation', () => {
  it('is read by every call that begins after its acknowledgement, and fails none (I1)', async () => {
    const secret = await platform.webhookSecret();
    let rotated: Promise<number> | undefined;
    const rotate = async () => {
      await platform.writeKey(2);
      const answer = await platform.client.notifyRotation([KEY_REFERENCE], secret);
      expect(answer.status).toBe(200);
      return performance.now();
    };
    const calls = await callConcurrently(
      6,
      async () => {
        const { status, body } = await tickets();
        return { status, generation: generationOf(body) };
      },
      (finished) => {
        if (finished.length >= 60) rotated ??= rotate();
        return finished.length >= 240;
      },
    );
    const at = (await rotated) ?? Number.NaN;
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
    expect(staleReads(calls, [{ at, generation: 2 }])).toEqual([]);
    expect(calls.some(({ sentAt, generation }) => sentAt > at && generation === 2)).toBe(true);
    expect(calls.some(({ generation }) => generation === 1)).toBe(true);
  });

  it('is refused when its notification is not signed', async () => {
    expect(await platform.client.notifyRotation([KEY_REFERENCE], 'not-the-secret')).toMatchObject({
      status: 401,
      body: { code: 'webhook_unsigned' },
    });
  });
});

describe('a revoked capability', () => {
  it('is refused on the next call, and the refusal is in the audit trail (I6)', async () => {
    const key = await platform.tenant('revoker');
    expect((await sync(key)).status).toBe(200);
    const install = (await platform.client.admin('GET', installPath('revoker'))) as {
      grants: { capabilities: string[]; egress: string[] };
    };
    const capabilities = install.grants.capabilities.filter((capability) => capability !== 'secrets.get');
    await platform.client.admin('PUT', `${installPath('revoker')}/grants`, { ...install.grants, capabilities });
    const refused = await sync(key);
    expect(refused).toMatchObject({ status: 403, body: { error: 'secret_denied' } });
    const requestId = refused.headers.get('x-request-id');
    await until(async () => {
      const { entries } = (await platform.client.audit(`?requestId=${requestId}`)) as {
        entries: { outcome: string }[];
      };
      return entries.some(({ outcome }) => outcome === 'denied');
    });
    expect(await platform.client.audit('/verify')).toMatchObject({ ok: true });
  });
});

// Last: they take parts away.
describe('when a part is lost', () => {
  it('a runner: no idempotent call is lost (I7)', async () => {
    const name = (await sync()).headers.get('x-ext-runner') ?? '';
    let killed: Promise<void> | undefined;
    const calls = await callConcurrently(
      6,
      async () => ({ status: (await tickets()).status, generation: undefined }),
      (finished) => {
        if (finished.length >= 30) killed ??= platform.stack.killRunner(Number(name.replace('runner-', '')) - 1);
        return finished.length >= 120;
      },
    );
    await killed;
    expect(calls.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it('the broker: 503 with retry-after, never "missing"', async () => {
    const key = await platform.tenant('brokerless');
    const broker = platform.stack.processes.get('secrets-broker');
    broker?.kill('SIGKILL');
    await broker?.exited;
    const answer = await sync(key);
    expect(answer).toMatchObject({ status: 503, body: { code: 'secrets_unavailable' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    const missing = await platform.client.call(key, EXTENSION, '/secret-missing');
    expect(missing).toMatchObject({ status: 503, body: { code: 'secrets_unavailable' } });
  });
});
