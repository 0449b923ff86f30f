import {
  MAX_SEALED_CHARS,
  newInstallId,
  planConfig,
  planGrants,
  planInstall,
  planSecretDelete,
  planSecretSet,
  planStatus,
} from './change.ts';
import { install, release } from './test-support/installs.ts';

const random = (count: number) => new Uint8Array(count).fill(3);
const sealed = (chars: number) => ({ kind: 'sealed', ciphertext: 'x'.repeat(chars), keyId: 'k' }) as const;
const state = (key: string, ciphertextChars = 10) =>
  ({ key, kind: 'sealed', ciphertextChars, updatedAt: new Date(0) }) as const;
const nothing = { capabilities: [], egress: [] };

describe('an install id', () => {
  it('is an identifier of at most 64 characters, however long the extension id is', () => {
    expect(newInstallId('ticket-sync', random)).toBe('ticket-sync-dddddddd');
    const long = newInstallId(`${'a'.repeat(54)}-${'b'.repeat(9)}`, random);
    expect(long).toBe(`${'a'.repeat(54)}-dddddddd`);
    expect(long.length).toBeLessThanOrEqual(64);
  });
});

describe('planInstall', () => {
  it('creates, leaves alone what is the same, and names the weightiest of several changes', () => {
    const one = release();
    const plan = (wanted: Parameters<typeof planInstall>[1], to = one) => planInstall(to, wanted, random);
    expect(plan({ config: {}, grants: nothing })(undefined)).toMatchObject({
      kind: 'create',
      install: { installId: 'ticket-sync-dddddddd', config: '{}' },
    });
    const current = install({ release: one, grants: nothing });
    expect(plan({ config: {}, grants: nothing })(current)).toEqual({ kind: 'unchanged' });
    const regranted = { capabilities: ['secrets.get'], egress: [] };
    expect(plan({ config: {}, grants: regranted })(current)).toEqual({
      kind: 'update',
      change: 'grants',
      patch: { grants: regranted },
    });
    const two = release({ version: '2.0.0' }, 'b');
    expect(plan({ config: {}, grants: regranted }, two)(current)).toEqual({
      kind: 'update',
      change: 'version',
      patch: { release: two, grants: regranted },
    });
  });

  it('judges configuration and grants by the version that is being installed', () => {
    const two = release({ version: '2.0.0', capabilities: [] }, 'b');
    const wanted = { config: {}, grants: { capabilities: ['secrets.get'], egress: [] } };
    expect(planInstall(two, wanted, random)(install())).toMatchObject({
      kind: 'refused',
      code: 'capability_undeclared',
    });
  });

  it('keeps a suspended install suspended', () => {
    const plan = planInstall(release({ version: '2.0.0' }, 'b'), { config: {}, grants: nothing }, random);
    expect(plan(install({ status: 'suspended' }))).not.toHaveProperty('patch.status');
  });
});

describe('every change', () => {
  it('is refused where nothing is installed', () => {
    const plans = [
      planConfig({}),
      planGrants(nothing),
      planStatus('suspended'),
      planSecretDelete('api_key'),
      planSecretSet('i', 'api_key', sealed(1)),
    ];
    for (const plan of plans) expect(plan(undefined)).toMatchObject({ kind: 'refused', code: 'extension_not_found' });
  });
});

describe('planStatus', () => {
  it('does nothing where nothing changes and names each transition', () => {
    expect(planStatus('active')(install())).toEqual({ kind: 'unchanged' });
    expect(planStatus('suspended')(install())).toMatchObject({ change: 'suspended' });
    expect(planStatus('active')(install({ status: 'suspended' }))).toMatchObject({ change: 'resumed' });
    expect(planStatus('uninstalled')(install({ status: 'suspended' }))).toMatchObject({ change: 'uninstalled' });
  });
});

describe('planSecretSet', () => {
  const { installId } = install();

  it('refuses a key that the manifest does not declare, inherited names included', () => {
    for (const key of ['other', 'toString', 'constructor']) {
      expect(planSecretSet(installId, key, sealed(1))(install())).toMatchObject({ code: 'secret_undeclared' });
    }
  });

  it('refuses a ciphertext that was sealed for an install that is gone', () => {
    expect(planSecretSet('ticket-sync-other', 'api_key', sealed(1))(install())).toMatchObject({
      code: 'extension_not_found',
    });
  });

  it('refuses more ciphertext than one message carries, the replaced one not counted', () => {
    const current = install({
      release: release({ secrets: [{ key: 'api_key' }, { key: 'more' }] }),
      secrets: [state('api_key', MAX_SEALED_CHARS - 5)],
    });
    expect(planSecretSet(installId, 'more', sealed(6))(current)).toMatchObject({
      code: 'body_too_large',
      limit: MAX_SEALED_CHARS,
    });
    expect(planSecretSet(installId, 'more', sealed(5))(current)).toMatchObject({ kind: 'update', change: 'secrets' });
    expect(planSecretSet(installId, 'api_key', sealed(MAX_SEALED_CHARS))(current)).toMatchObject({ kind: 'update' });
  });
});

describe('planSecretDelete', () => {
  it('removes what is set, even if no longer declared, and leaves a declared key that is not set', () => {
    expect(planSecretDelete('old')(install({ secrets: [state('old')] }))).toMatchObject({
      patch: { deleteSecret: 'old' },
    });
    expect(planSecretDelete('api_key')(install())).toEqual({ kind: 'unchanged' });
    expect(planSecretDelete('other')(install())).toMatchObject({ code: 'secret_undeclared' });
  });
});
