import { KnownSecrets } from '@alga/chassis';
import { Secret } from '@alga/contracts';
import { auditEvent, type SecretAccess } from '../core/audit-event.ts';
import type { SecretsLookup } from '../core/secrets-cache.ts';
import { claims } from '../test-support/tokens.ts';
import { RequestSecrets } from './secrets.ts';

const VALUE = 'canary-value';
const found = (version: number, value = VALUE): SecretsLookup => ({
  ok: true,
  source: 'broker',
  secrets: { version, values: new Map([['api_key', new Secret(value)]]) },
});

function setUp(...lookups: SecretsLookup[]) {
  const audited: SecretAccess[] = [];
  const knownSecrets = new KnownSecrets();
  const envelope = { token: 'a.b.c', tokenSha256: 'f'.repeat(64), claims: claims() };
  const clock = { nowMs: Date.now() };
  const secrets = new RequestSecrets(
    {
      envelope,
      lookup: async () => lookups.shift() ?? { ok: false, error: 'internal' },
      audit: (access) => audited.push(access),
      knownSecrets,
      nowMs: () => clock.nowMs,
    },
    {
      claims: envelope.claims,
      token: 'a.b.c',
      requestId: 'request-1',
      remainingMs: () => 1_000,
      explain: () => undefined,
    },
  );
  const { get, listKeys } = secrets.capability();
  return { secrets, audited, knownSecrets, clock, get: (key: unknown) => get?.([key]), list: () => listKeys?.([]) };
}

describe('the secrets of a request', () => {
  it('are of one version throughout, whatever is rotated meanwhile', async () => {
    const { secrets, get } = setUp(found(7), found(8, 'newer'));
    expect(secrets.version).toBeUndefined();
    expect(await get('api_key')).toEqual({ ok: true, value: VALUE });
    expect(await get('api_key')).toEqual({ ok: true, value: VALUE });
    expect(secrets.version).toBe(7);
  });

  it('are known to the log from the first read to the end of the request (I3)', async () => {
    const { secrets, knownSecrets, get } = setUp(found(7));
    await get('api_key');
    await get('api_key');
    expect(knownSecrets.redact(`it is ${VALUE}`)).toBe('it is [secret]');
    secrets.release();
    expect(knownSecrets.redact(`it is ${VALUE}`)).toBe(`it is ${VALUE}`);
  });

  it('are not given out once the envelope has expired, whether they are cached or not', async () => {
    const { clock, get, audited } = setUp(found(7));
    await get('api_key');
    clock.nowMs += 66_000;
    expect(await get('api_key')).toEqual({ ok: false, error: 'expired' });
    expect(audited.at(-1)).toMatchObject({ outcome: 'expired' });
  });

  it('say when to come back if the backend fails, unless a later read succeeds', async () => {
    const { secrets, get } = setUp({ ok: false, error: 'unavailable', retryAfterMs: 400 }, found(7));
    expect(await get('api_key')).toEqual({ ok: false, error: 'unavailable' });
    expect(secrets.retryAfterMs).toBe(400);
    expect(await get('api_key')).toEqual({ ok: true, value: VALUE });
    expect(secrets.retryAfterMs).toBeUndefined();
  });

  it('are audited at every access with key and version, and never with a value', async () => {
    const { get, list, audited, secrets } = setUp(found(7));
    await get('api_key');
    await get('nothing');
    await get(VALUE);
    await list();
    secrets.deniedFor('get', ['api_key']);
    secrets.deniedFor('listKeys', []);
    expect(audited).toEqual([
      { operation: 'secrets.get', outcome: 'read', key: 'api_key', secretsVersion: 7 },
      { operation: 'secrets.get', outcome: 'missing', key: 'nothing', secretsVersion: 7 },
      { operation: 'secrets.get', outcome: 'missing', key: '[secret]', secretsVersion: 7 },
      { operation: 'secrets.list', outcome: 'read', secretsVersion: 7 },
      { operation: 'secrets.get', outcome: 'denied', key: 'api_key' },
      { operation: 'secrets.list', outcome: 'denied' },
    ]);
  });

  it('give an audit record that fits its schema for any key', () => {
    const call = { claims: claims(), requestId: 'request-1', runnerId: 'runner-1' };
    const at = { id: 'A'.repeat(22), nowMs: 1 };
    const access = { operation: 'secrets.get', outcome: 'missing', key: `${'x'.repeat(255)}\u{1f511}` } as const;
    expect(auditEvent(access, call, at).key).toBe(`${'x'.repeat(255)}\ufffd`);
  });
});
