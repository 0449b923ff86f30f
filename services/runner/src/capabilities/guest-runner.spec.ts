import { Writable } from 'node:stream';
import { createLogger, KnownSecrets } from '@alga/chassis';
import { type AuditSecretAccess, CAPABILITIES, HOST_FUNCTIONS, resolveLimits, Secret } from '@alga/contracts';
import fc from 'fast-check';
import type { Artifact } from '../core/artifacts.ts';
import type { AuthorisedCall } from '../core/execute.ts';
import type { Execution, Outcome } from '../engine/outcome.ts';
import { CONFIG, claims } from '../test-support/tokens.ts';
import { createGuestRunner } from './guest-runner.ts';

const VALUE = 'canary-value-0123456789';
const artifact: Artifact = {
  contentHash: `sha256:${'a'.repeat(64)}`,
  runtime: 'component',
  engine: 'native',
  entry: 'a.js',
  files: new Map(),
  modules: [],
  pool: { reusable: true },
  sourceMap: null,
};
const allowance = { deadlineMs: 5_000, limits: resolveLimits() };

/** The host of one request as it is put together for the engine; in place of a guest, a function that plays it. */
function setUp(guest: (execution: Execution) => Promise<Outcome>, capabilities: readonly string[] = CAPABILITIES) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const knownSecrets = new KnownSecrets();
  const reached: string[] = [];
  const audited: AuditSecretAccess[] = [];
  const executions: Execution[] = [];
  const run = createGuestRunner({
    engine: {
      execute: (execution) => {
        executions.push(execution);
        return guest(execution);
      },
    },
    bus: {
      request: (channel) => {
        reached.push(channel.wildcard);
        return Promise.reject(new Error('this bus leads nowhere'));
      },
    },
    http: {
      fetch: async () => {
        reached.push('egress');
        return { ok: false, error: 'unreachable' };
      },
    },
    lookupSecrets: async () => {
      reached.push('secrets');
      return { ok: true, source: 'broker', secrets: { version: 8, values: new Map([['api_key', new Secret(VALUE)]]) } };
    },
    recordAudit: (event) => audited.push(event),
    knownSecrets,
    logger: createLogger({ service: 'runner', instance: 'spec', level: 'info', knownSecrets, destination }),
    runnerId: 'runner-1',
    newId: () => 'A'.repeat(22),
    nowMs: () => Date.now(),
    onHostCall: () => undefined,
  });
  const call: AuthorisedCall = {
    envelope: { token: 'a.b.c', tokenSha256: 'f'.repeat(64), claims: claims({ capabilities: [...capabilities] }) },
    requestId: 'request-1',
    config: CONFIG,
    http: { method: 'GET', url: '/', headers: [], hasBody: false },
    body: new Uint8Array(),
  };
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown> & { msg: string });
  return { run: () => run(call, artifact, allowance), reached, audited, executions, lines, records };
}

const response: Outcome = { kind: 'response', status: 204, headers: [] };

/** Arguments with which each function gets as far as to what is behind it. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  'config#get': ['region'],
  'secrets#get': ['api_key'],
  'storage#get': ['k'],
  'storage#put': ['k', new Uint8Array(1), undefined, undefined],
  'storage#delete': ['k', undefined],
  'storage#listEntries': ['', undefined, 10],
  'logging#logInfo': ['a line'],
  'logging#logWarn': ['a line'],
  'logging#logError': ['a line'],
};

describe('I6: whatever the grants and whatever the order of its calls', () => {
  it('a guest reaches a function if and only if its capability is in the claims', async () => {
    const grants = fc.uniqueArray(fc.constantFrom(...CAPABILITIES, 'secrets.write', 'http.listen'));
    const calls = fc.array(fc.constantFrom(...HOST_FUNCTIONS), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(grants, calls, async (granted, calls) => {
        const { run, reached, records, audited } = setUp(async ({ host }) => {
          for (const fn of calls) {
            const name = `${fn.interface}#${fn.function}`;
            const [marks, written] = [reached.length, records().filter(({ msg }) => msg === 'a line').length];
            const result = await host({ ...fn, args: ARGUMENTS[name] ?? [] }).catch(() => 'failed behind the check');
            const touched =
              reached.length > marks ||
              records().filter(({ msg }) => msg === 'a line').length > written ||
              (['context', 'config'].includes(fn.interface) && typeof result === 'object' && result.ok) ||
              // The second read of a request is answered from the first.
              (fn.interface === 'secrets' && typeof result === 'object' && result.ok);
            expect({ name, touched }).toEqual({ name, touched: granted.includes(fn.capability) });
          }
          return response;
        }, granted);
        await run();
        const wanted = calls.filter(({ interface: name }) => name === 'secrets');
        expect(audited.map(({ outcome }) => outcome === 'denied')).toEqual(
          wanted.map(({ capability }) => !granted.includes(capability)),
        );
      }),
    );
  });

  it.each([[[]], [['logging.write']]])('its output is logged if and only if it may log: %j', async (granted) => {
    const { run, records } = setUp(async ({ onOutput }) => {
      onOutput('stdout', 'to stdout\n');
      onOutput('stderr', 'to stderr\n');
      return response;
    }, granted);
    await run();
    expect(records().map(({ msg }) => msg)).toEqual(granted.length === 0 ? [] : ['to stdout', 'to stderr']);
  });
});

describe('the engine', () => {
  it('is given the install, the limits and the time of the call', async () => {
    const { run, executions } = setUp(async () => response);
    await run();
    expect(executions).toMatchObject([
      { tenantId: 'acme', installId: 'inst-1', artifact, deadlineMs: 5_000, limits: allowance.limits },
    ]);
  });
});

describe("a guest's last words", () => {
  const failing = (failure: Outcome) =>
    setUp(async ({ host }) => {
      await host({ interface: 'secrets', function: 'get', args: ['api_key'] });
      return failure;
    });

  it.each<[string, Outcome]>([
    ['guest_trap', { kind: 'trap', message: 'unreachable' }],
    ['guest_cpu_exceeded', { kind: 'cpu_exceeded' }],
    ['guest_out_of_memory', { kind: 'out_of_memory' }],
    ['guest_limit_exceeded', { kind: 'limit_exceeded', limit: 'hostCalls', message: 'too many' }],
  ])('go to its log under %s and nowhere else', async (code, failure) => {
    const guest = { message: `Error: the key is ${VALUE}`, frames: ['load (src/index.ts:3:9)'] };
    const { run, records, lines } = failing({ ...failure, guest } as Outcome);
    const { outcome } = await run();
    expect(outcome).toEqual(failure);
    expect(records()).toHaveLength(1);
    expect(records()[0]).toMatchObject({
      source: 'guest',
      tenantId: 'acme',
      installId: 'inst-1',
      extensionId: 'fixture',
      version: '1.0.0',
      requestId: 'request-1',
      code,
      msg: 'Error: the key is [secret]',
      frames: ['load (src/index.ts:3:9)'],
    });
    expect(lines.join()).not.toContain('canary');
  });

  it.each<[Outcome, number]>([
    [{ kind: 'timeout' }, 1],
    [{ kind: 'invalid_response', message: 'status' }, 1],
    [{ kind: 'crashed', signal: 'SIGKILL', exitCode: null, started: true }, 1],
    [{ kind: 'crashed', signal: 'SIGKILL', exitCode: null, started: false }, 0],
    [{ kind: 'quarantined', retryAfterMs: 1_000 }, 0],
    [{ kind: 'overloaded' }, 0],
  ])('or that there were none, are told if and only if the guest ran: %j', async (failure, lines) => {
    const { run, records } = setUp(async () => failure);
    await run();
    expect(records()).toHaveLength(lines);
    for (const record of records()) expect(record).toMatchObject({ source: 'guest', code: expect.any(String) });
  });

  it('that were cut in the middle of a secret show no part of it (I3)', async () => {
    const guest = { message: `${VALUE.slice(5)}: it began, and it ends: ${VALUE.slice(0, 14)}`, frames: [] };
    const { run, records } = failing({ kind: 'trap', message: 'unreachable', guest });
    await run();
    expect(records()[0]?.msg).toBe('[secret]: it began, and it ends: [secret]');
  });
});
