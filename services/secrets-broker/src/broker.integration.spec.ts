// The broker as a black box. One file, though long: its process, a NATS and a database are started once for all of it, and the
// last test looks at what the others left behind.
import { randomBytes, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { AlgaError, type AuditSecretAccess, channels, parse, type SecretsRotated } from '@alga/contracts';
import { waitUntil } from '@alga/local-stack';
import { openPostgres } from '@alga/storage';
import { jest } from '@jest/globals';
import { CompactEncrypt, importJWK } from 'jose';
import { type Kysely, sql } from 'kysely';
import type { BrokerDatabase } from './adapters/postgres-schema.ts';
import type { AuditRow } from './core/audit-chain.ts';
import { type BrokerUnderTest, startBroker } from './testing/broker-under-test.ts';
import { valuesOf } from './testing/runner-stand-in.ts';

jest.setTimeout(90_000);

const OPERATOR = `alga_op_${randomBytes(32).toString('base64url')}`;
const TENANT_KEY = `alga_${randomBytes(32).toString('base64url')}`;
const FILE_VALUE = `file-value-${randomUUID()}`;
const TYPED_VALUE = `typed-value-${randomUUID()}`;
const INSTALL = 'ticket-sync-1a2b3c4d';

let test: BrokerUnderTest;
let db: Kysely<BrokerDatabase>;

beforeAll(async () => {
  test = await startBroker();
  db = await openPostgres<BrokerDatabase>({ url: test.databaseUrl, maxConnections: 4, onError: () => undefined });
  test.controlPlane.allowKey(OPERATOR, { keyId: 'op', scopes: ['operator'] });
  test.controlPlane.allowKey(TENANT_KEY, { keyId: 'tenant', tenantId: 'acme', scopes: ['admin', 'operator'] });
});
afterAll(async () => {
  await db?.destroy();
  await test?.stop();
});
beforeEach(async () => {
  test.controlPlane.trouble = undefined;
  test.controlPlane.installs.clear();
  test.controlPlane.install([{ key: 'api_key', kind: 'reference', reference: 'file:api_key' }]);
  await test.writeFile('api_key', `${FILE_VALUE}\n`);
});

const refused = (code: string) => expect.objectContaining({ code });
const rows = async (): Promise<AuditRow[]> =>
  (await test.get('/v1/audit?limit=1000', OPERATOR)).body.entries as AuditRow[];
const lastRow = async () => (await rows()).at(-1);
const eventually = async (condition: () => Promise<boolean> | boolean) =>
  expect(await waitUntil(condition, { deadlineMs: 15_000 })).toBe(true);

async function sealTyped(value: string, inside: object = {}, header: object = {}) {
  const ids = { tenantId: 'acme', installId: INSTALL, key: 'typed' };
  const jwe = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify({ ...ids, value, ...inside })))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'alga-secret-value', ...header })
    .encrypt(await importJWK(test.sealPublicJwk, 'ECDH-ES'));
  return test.controlPlaneBus.request(channels.secretsSeal, { ...ids, value: jwe }, { deadlineMs: 5_000 });
}

describe('a redemption', () => {
  it('releases sealed, file and environment values, signed and sealed for the runner, with the audit row first (I2)', async () => {
    const typed = await sealTyped(TYPED_VALUE);
    expect(JSON.stringify(typed)).not.toContain(TYPED_VALUE);
    test.controlPlane.install([
      { key: 'typed', kind: 'sealed', ...typed },
      { key: 'api_key', kind: 'reference', reference: 'chain:api_key' },
      { key: 'from_env', kind: 'reference', reference: 'env:FROM_ENV' },
      { key: 'absent', kind: 'reference', reference: 'file:absent' },
    ]);
    const redeemed = await test.runner.redeem();
    expect(valuesOf(redeemed)).toEqual({
      typed: TYPED_VALUE,
      api_key: FILE_VALUE,
      from_env: 'value-from-the-environment',
    });
    expect(redeemed.secretsVersion).toBe(3);
    expect(await lastRow()).toMatchObject({
      kind: 'redemption',
      outcome: 'released',
      tenantId: 'acme',
      installId: INSTALL,
      extensionId: 'ticket-sync',
      keys: ['typed', 'api_key', 'from_env'],
      secretsVersion: 3,
      requestId: 'request-0001',
      runnerId: 'runner-1',
    });
  });

  it('for the data key alone reads no source, gives the same key for the same version, and is audited as what it is', async () => {
    await rm(`${test.filesDir}/api_key`);
    const [one, two] = [await test.runner.redeem({ proof: { want: 'data-key' } }), await test.runner.redeem()];
    expect(one.values).toBeUndefined();
    expect(two.values).toEqual([]);
    expect(one.dataKey).toBe(two.dataKey);
    test.controlPlane.install([], { secretsVersion: 4 });
    expect((await test.runner.redeem()).dataKey).not.toBe(one.dataKey);
    expect((await rows()).slice(-3).map(({ outcome }) => outcome)).toEqual([
      'data_key_released',
      'released',
      'released',
    ]);
  });

  it('gives the version of now to an envelope with a lower floor, and nothing to one with a higher (I1)', async () => {
    test.controlPlane.install([], { secretsVersion: 9 });
    expect((await test.runner.redeem({ envelope: { sv: 3 } })).secretsVersion).toBe(9);
    await expect(test.runner.redeem({ envelope: { sv: 10 } })).rejects.toEqual(refused('secrets_unavailable'));
  });

  it('spends its proof once under 20 simultaneous replays: exactly one is answered, and one row is written', async () => {
    const { connection } = test.runner.bus;
    const inbox = `_INBOX_runner.replay.${randomUUID()}`;
    const token = test.runner.mint();
    const jti = randomBytes(16).toString('base64url');
    const message = channels.secretsRedeem.request.encode({ token, proof: test.runner.prove(token, inbox, { jti }) });
    const codes: string[] = [];
    const subscription = connection.subscribe(inbox, {
      callback: (_, reply) => {
        codes.push(reply.headers?.get('alga-error') || 'released');
      },
    });
    await connection.flush();
    for (let n = 0; n < 20; n += 1) connection.publish(channels.secretsRedeem.subject(), message, { reply: inbox });
    await eventually(() => codes.length === 20);
    subscription.unsubscribe();
    expect(codes.toSorted()).toEqual([...Array(19).fill('proof_replayed'), 'released']);
    expect((await rows()).filter(({ id }) => id === `redemption:${jti}`)).toHaveLength(1);
  });

  it.each([
    ['another inbox', { inbox: '_INBOX_runner.elsewhere' }],
    ['another subject', { subject: 'alga.v1.secrets.seal' }],
    ['another token', { tokenSha256: '0'.repeat(64) }],
  ])('whose proof names %s is refused, and the refusal is audited', async (_, proof) => {
    await expect(test.runner.redeem({ proof })).rejects.toEqual(refused('proof_invalid'));
    expect(await lastRow()).toMatchObject({ outcome: 'proof_invalid', tenantId: 'acme', requestId: null });
  });

  it.each([
    ['forged', { token: `${'A'.repeat(40)}.${'A'.repeat(40)}.${'A'.repeat(86)}` }, 'envelope_invalid'],
    ['expired', { envelope: { iat: 1_700_000_000, exp: 1_700_000_060 } }, 'envelope_expired'],
  ])('under an envelope that is %s is refused, and the refusal is audited', async (_, options, code) => {
    await expect(test.runner.redeem(options)).rejects.toEqual(refused(code));
    expect(await lastRow()).toMatchObject({ outcome: code, tenantId: null });
  });

  it.each([
    ['a revoked capability', { capabilities: [] }, 'forbidden'],
    ['a suspended install', { status: 'suspended' }, 'install_suspended'],
    ['an uninstalled extension', { status: 'uninstalled' }, 'extension_not_found'],
    ['another version of the extension', { contentHash: `sha256:${'00'.repeat(32)}` }, 'envelope_invalid'],
  ] as const)('is refused at once for %s, though the envelope still lives (I6)', async (_, change, code) => {
    const token = test.runner.mint();
    await test.runner.redeem({ token });
    test.controlPlane.install([], {
      ...change,
      capabilities: [...('capabilities' in change ? change.capabilities : ['secrets.get'])],
    });
    await expect(test.runner.redeem({ token })).rejects.toEqual(refused(code));
    expect(await lastRow()).toMatchObject({ outcome: code, installId: INSTALL, requestId: 'request-0001' });
  });

  it('for another tenant than the install belongs to finds no such install', async () => {
    await expect(test.runner.redeem({ envelope: { tenantId: 'other' } })).rejects.toEqual(
      refused('extension_not_found'),
    );
  });

  it('is unavailable, and never missing a value, when a source or control-plane is in trouble', async () => {
    const unavailable = { code: 'secrets_unavailable', retryAfterMs: expect.any(Number) };
    await test.withoutFiles(() => expect(test.runner.redeem()).rejects.toMatchObject(unavailable));
    test.controlPlane.trouble = new AlgaError('internal');
    await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
    test.controlPlane.trouble = undefined;
    expect(valuesOf(await test.runner.redeem())).toEqual({ api_key: FILE_VALUE });
  });

  it('is unavailable when the ciphertext is not of this install', async () => {
    test.controlPlane.install([{ key: 'other', kind: 'sealed', ...(await sealTyped('moved')) }]);
    await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
  });

  it('is unavailable when the values are too many for one reply', async () => {
    await test.writeFile('large', 'x'.repeat(64 * 1024));
    const secrets = Array.from({ length: 8 }, (_, n) => ({
      key: `k${n}`,
      kind: 'reference' as const,
      reference: 'file:large',
    }));
    test.controlPlane.install(secrets.slice(0, 7));
    expect(Object.keys(valuesOf(await test.runner.redeem()))).toHaveLength(7);
    test.controlPlane.install(secrets);
    await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
  });
});

describe('when the audit row cannot be made durable, nothing is released (I2)', () => {
  const releases = async () => (await rows()).filter(({ outcome }) => outcome === 'released').length;

  it('because Postgres refuses the row', async () => {
    const before = await releases();
    await sql`create function refuse() returns trigger language plpgsql as 'begin raise exception ''disk full''; end';
      create trigger refused before insert on audit_log for each row execute function refuse()`.execute(db);
    try {
      await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
    } finally {
      await sql`drop function refuse cascade`.execute(db);
    }
    expect(await releases()).toBe(before);
    await test.runner.redeem();
  });

  it('because Postgres does not answer: refused within the deadline, without waiting for it', async () => {
    const held = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = db.transaction().execute(async (trx) => {
      await sql`set local idle_in_transaction_session_timeout = 0`.execute(trx);
      await sql`select 1 from audit_head for update`.execute(trx);
      held.resolve();
      await release.promise;
    });
    await held.promise;
    // Its own words: the runner's deadline would read deadline_exceeded.
    await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
    release.resolve();
    await holding;
  });

  it('because Postgres is gone: 503 until it is back, and the process says so', async () => {
    const name = new URL(test.databaseUrl).pathname.slice(1);
    const admin = new URL(test.databaseUrl);
    admin.pathname = '/postgres';
    const server = await openPostgres<object>({ url: admin.href, maxConnections: 1, onError: () => undefined });
    const allow = (yes: boolean) => sql.raw(`alter database ${name} with allow_connections ${yes}`).execute(server);
    const readiness = async () => (await test.get('/readyz')).status;
    await allow(false);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(server);
    await expect(test.runner.redeem()).rejects.toEqual(refused('secrets_unavailable'));
    const event = JSON.stringify({ id: 'while-gone', type: 'secret.rotated', references: ['file:api_key'] });
    const notified = await test.notify(event);
    expect(notified).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(notified.headers['retry-after']).toBeDefined();
    expect(test.controlPlane.changes.flat()).not.toContain('file:api_key');
    await eventually(async () => (await readiness()) === 503);
    await allow(true);
    await server.destroy();
    await eventually(async () => (await readiness()) === 200);
    await test.runner.redeem();
    expect(await test.notify(event)).toMatchObject({ status: 200 });
  });
});

describe('sealing', () => {
  it.each([
    ['for another install than it names', { installId: 'other' }, {}],
    ['for another key than it names', { key: 'other' }, {}],
    ['with a member too many', { more: 1 }, {}],
    ['of another type', {}, { typ: 'JWT' }],
    ['of a value over 64 KiB', { value: '鍵'.repeat(30_000) }, {}],
  ])('a value %s is refused, without a word of it', async (_, inside, header) => {
    const error = await sealTyped('value-to-refuse', inside, header).catch((reason: unknown) => reason);
    expect(error).toEqual(refused('bad_request'));
    expect(JSON.stringify((error as AlgaError).errors)).not.toContain('value-to-refuse');
  });

  it('what is not sealed for the broker is refused', async () => {
    const request = { tenantId: 'acme', installId: INSTALL, key: 'typed', value: 'plaintext-of-an-admin' };
    const sealing = test.controlPlaneBus.request(channels.secretsSeal, request, { deadlineMs: 5_000 });
    await expect(sealing).rejects.toEqual(refused('bad_request'));
  });
});

describe('a notification', () => {
  const events: SecretsRotated[] = [];
  beforeAll(() => test.runner.bus.consume(channels.secretsRotated, 'spec', async (some) => void events.push(...some)));
  const rotation = (change: object = {}) =>
    JSON.stringify({ id: randomUUID(), type: 'secret.rotated', references: ['file:api_key'], ...change });
  const epoch = () => test.controlPlane.installs.get(INSTALL)?.secretsVersion;

  it('moves the epoch, stores the event, writes the audit and only then is acknowledged (I1)', async () => {
    const id = randomUUID();
    const answer = await test.notify(rotation({ id }));
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      eventId: id,
      installs: [{ tenantId: 'acme', installId: INSTALL, secretsVersion: 4 }],
    });
    expect(epoch()).toBe(4);
    expect(await lastRow()).toMatchObject({
      kind: 'rotation',
      outcome: 'rotated',
      installId: INSTALL,
      secretsVersion: 4,
    });
    await eventually(() => events.some((event) => event.eventId === `local:${id}` && event.secretsVersion === 4));
  });

  it('about a file also reaches installs that read it through the chain', async () => {
    test.controlPlane.install([{ key: 'api_key', kind: 'reference', reference: 'chain:api_key' }]);
    expect((await test.notify(rotation())).body.installs).toHaveLength(1);
  });

  it('that nobody uses is acknowledged with no installs', async () => {
    expect((await test.notify(rotation({ references: ['file:unused'] }))).body.installs).toEqual([]);
  });

  it('is a replay once it was handled, and moves nothing then', async () => {
    const body = rotation();
    expect((await test.notify(body)).status).toBe(200);
    expect(await test.notify(body)).toMatchObject({ status: 409, body: { code: 'webhook_replayed' } });
    expect(epoch()).toBe(4);
  });

  it('whose handling failed succeeds when it is sent again', async () => {
    const body = rotation();
    test.controlPlane.trouble = new AlgaError('internal');
    expect(await test.notify(body)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    test.controlPlane.trouble = undefined;
    expect((await test.notify(body)).status).toBe(200);
  });

  it('about a source that cannot be read is 503 and moves nothing', async () => {
    const answer = await test.withoutFiles(() => test.notify(rotation()));
    expect(answer).toMatchObject({ status: 503, body: { code: 'secrets_unavailable' } });
    expect(epoch()).toBe(3);
  });

  it.each([
    ['unsigned', { 'x-alga-signature': '' }],
    ['of an unknown source', { 'x-alga-source': 'elsewhere' }],
    ['with a source sent twice', { 'x-alga-source': ['local', 'local'] }],
  ])('that is %s is refused', async (_, headers) => {
    expect(await test.notify(rotation(), headers)).toMatchObject({ status: 401, body: { code: 'webhook_unsigned' } });
    expect(epoch()).toBe(3);
  });

  it('with its signature sent twice is refused, whichever of them is right', async () => {
    const signature = `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`;
    const answer = await test.notify(rotation(), { 'x-alga-signature': [signature, signature] });
    expect(answer).toMatchObject({ status: 401, body: { code: 'webhook_unsigned' } });
  });

  it.each([
    ['no JSON', '{', '/'],
    [
      'an unknown member',
      JSON.stringify({ id: 'a', type: 'secret.rotated', references: ['file:a'], value: 'x' }),
      '/value',
    ],
    ['no references', JSON.stringify({ id: 'a', type: 'secret.rotated', references: [] }), '/references'],
    [
      'a reference that climbs',
      JSON.stringify({ id: 'a', type: 'secret.rotated', references: ['file:../a'] }),
      '/references/0',
    ],
  ])('with %s is refused, naming the field', async (_, body, field) => {
    expect(await test.notify(body)).toMatchObject({
      status: 400,
      body: { code: 'bad_request', errors: [expect.objectContaining({ field })] },
    });
  });

  it('over 64 KiB is refused with the limit', async () => {
    const answer = await test.notify(rotation({ at: 1 }).padEnd(64 * 1024 + 1, ' '));
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large', limit: 64 * 1024 } });
  });

  it('is taken whatever its content type: the signature is what counts', async () => {
    expect((await test.notify(rotation(), { 'content-type': 'application/json' })).status).toBe(200);
    expect((await test.notify(rotation(), { 'content-type': 'text/plain' })).status).toBe(200);
  });
});

describe('accesses that runners report', () => {
  const access = (change: Partial<AuditSecretAccess> = {}): AuditSecretAccess => ({
    id: randomBytes(16).toString('base64url'),
    at: Date.now(),
    tenantId: 'acme',
    installId: INSTALL,
    extensionId: 'ticket-sync',
    requestId: randomUUID(),
    runnerId: 'runner-1',
    operation: 'secrets.get',
    key: 'api_key',
    outcome: 'read',
    ...change,
  });
  const report = (...accesses: AuditSecretAccess[]) =>
    test.runner.bus.publish(channels.auditSecretAccess, { accesses });
  const found = async (requestId: string) =>
    (await test.get(`/v1/audit?requestId=${requestId}`, OPERATOR)).body.entries as AuditRow[];

  it('join the same chain, each once, however often they are delivered', async () => {
    const [twice, after] = [access({ key: 'a\0b' }), access({ outcome: 'denied' })];
    await report(twice, twice);
    await report(twice, after);
    await eventually(async () => (await found(after.requestId)).length === 1);
    expect(await found(twice.requestId)).toEqual([
      expect.objectContaining({ kind: 'access', keys: ['a\0b'], outcome: 'read', id: `access:${twice.id}` }),
    ]);
    expect((await test.get('/v1/audit/verify', OPERATOR)).body).toMatchObject({ ok: true });
  });

  it('keep the chain whole while redemptions and batches come at the same time', async () => {
    const requestId = randomUUID();
    const batches = Array.from({ length: 10 }, () => Array.from({ length: 10 }, () => access({ requestId })));
    const redeem = () => test.runner.redeem();
    await Promise.all([...batches.map((batch) => report(...batch)), ...Array.from({ length: 10 }, redeem)]);
    await eventually(async () => (await found(requestId)).length === 100);
    expect((await test.get('/v1/audit/verify', OPERATOR)).body).toMatchObject({ ok: true });
  });

  it('cannot take the id of a redemption in advance', async () => {
    const jti = randomBytes(16).toString('base64url');
    const squatter = access({ id: jti });
    await report(squatter);
    await eventually(async () => (await found(squatter.requestId)).length === 1);
    await expect(test.runner.redeem({ proof: { jti } })).resolves.toBeDefined();
  });
});

describe('the audit log over HTTP', () => {
  it.each([
    ['no key', undefined, 401, 'unauthenticated'],
    ['an unknown key', `alga_op_${'x'.repeat(43)}`, 401, 'unauthenticated'],
    ["a tenant's key, whatever its scopes", TENANT_KEY, 403, 'forbidden'],
  ])('is closed to %s', async (_, key, status, code) => {
    for (const route of ['/v1/audit', '/v1/audit/verify']) {
      expect(await test.get(route, key)).toMatchObject({ status, body: { code } });
    }
  });

  it.each([
    ['limit=0', '/limit'],
    ['limit=1001', '/limit'],
    ['after=-1', '/after'],
    ['tenantId=..%2F', '/tenantId'],
    ['tenantId=a&tenantId=b', '/tenantId'],
    ['verbose=1', '/verbose'],
  ])('refuses the query %s, naming the field', async (query, field) => {
    const answer = await test.get(`/v1/audit?${query}`, OPERATOR);
    expect(answer).toMatchObject({ status: 400, body: { errors: [expect.objectContaining({ field })] } });
  });

  it('names the first bad row after somebody altered one', async () => {
    const [, second] = await rows();
    await sql`update audit_log set outcome = 'nothing' where seq = 2`.execute(db);
    expect((await test.get('/v1/audit/verify', OPERATOR)).body).toMatchObject({ ok: false, badSeq: 2 });
    await sql`update audit_log set outcome = ${second?.outcome} where seq = 2`.execute(db);
    expect((await test.get('/v1/audit/verify', OPERATOR)).body).toMatchObject({ ok: true });
  });
});

// Last: it looks at what all the others left behind.
it('no value is in the log, the database or the replies to anybody but the runner (I3)', async () => {
  const log = await test.readLog();
  const tables = ['audit_log', 'redemption_proofs', 'webhook_events'];
  const dumps = await Promise.all(tables.map((table) => sql`select * from ${sql.table(table)}`.execute(db)));
  const everything = log + JSON.stringify(dumps.map(({ rows: all }) => all));
  expect(everything).toContain(INSTALL); // it looks at the right places
  for (const value of [
    FILE_VALUE,
    TYPED_VALUE,
    'value-from-the-environment',
    'value-to-refuse',
    'plaintext-of-an-admin',
    OPERATOR,
  ]) {
    for (const form of [value, Buffer.from(value).toString('base64'), Buffer.from(value).toString('hex')]) {
      expect(everything).not.toContain(form);
    }
  }
});

it('a refused problem document matches its schema', async () => {
  expect(parse('problem', (await test.get('/v1/audit')).body).ok).toBe(true);
});
