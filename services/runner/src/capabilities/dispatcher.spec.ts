import type { Bus } from '@alga/chassis';
import { CAPABILITIES, HOST_FUNCTIONS } from '@alga/contracts';
import fc from 'fast-check';
import { CONFIG, claims } from '../test-support/tokens.ts';
import { type CallScope, type Capability, ok } from './capability.ts';
import { configCapability } from './config.ts';
import { contextCapability } from './context.ts';
import { createDispatcher } from './dispatcher.ts';
import { storageCapability } from './storage.ts';

const scope: CallScope = {
  claims: claims(),
  token: 'a.b.c',
  requestId: 'request-1',
  remainingMs: () => 1_000,
  explain: () => undefined,
};

/** A bus on which a message that gets out is an event worth failing for. */
const closedBus: Pick<Bus, 'request'> = {
  request: () => Promise.reject(new Error('a hostile argument reached the bus')),
};

function setUp(granted: readonly string[]) {
  const reached: string[] = [];
  const denied: string[] = [];
  const interfaces: Record<string, Record<string, Capability[string]>> = {};
  for (const { interface: name, function: fn } of HOST_FUNCTIONS) {
    interfaces[name] = { ...interfaces[name], [fn]: () => ok(reached.push(`${name}#${fn}`)) };
  }
  const dispatch = createDispatcher({
    granted,
    interfaces,
    onDenied: (name, fn) => denied.push(`${name}#${fn}`),
    onCall: () => undefined,
  });
  return { dispatch, reached, denied };
}

describe('I6: the dispatcher', () => {
  it.each(HOST_FUNCTIONS.map((fn) => [`${fn.interface}#${fn.function}`, fn] as const))(
    'lets %s through with its capability and with no other',
    async (name, { interface: interfaceName, function: fn, capability }) => {
      const call = { interface: interfaceName, function: fn, args: [] };
      const granted = setUp([capability]);
      expect((await granted.dispatch(call)).ok).toBe(true);
      expect(granted.reached).toEqual([name]);

      const without = setUp(CAPABILITIES.filter((other) => other !== capability));
      const answer = await without.dispatch(call);
      expect(answer).toEqual(
        interfaceName === 'logging' ? { ok: true, value: undefined } : { ok: false, error: 'denied' },
      );
      expect(without.reached).toEqual([]);
      expect(without.denied).toEqual([name]);
    },
  );

  it('knows no function but those of the WIT', async () => {
    const { dispatch, reached } = setUp(CAPABILITIES);
    const names = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'secrets', 'get', 'toString'));
    await fc.assert(
      fc.asyncProperty(names, names, async (interfaceName, fn) => {
        fc.pre(!HOST_FUNCTIONS.some((known) => known.interface === interfaceName && known.function === fn));
        const answer = await dispatch({ interface: interfaceName, function: fn, args: [] });
        expect(answer).toEqual({ ok: false, error: 'internal' });
        expect(reached).toEqual([]);
      }),
    );
  });

  it('refuses to be built with a function of the WIT left out', () => {
    const parts = { granted: [], interfaces: {}, onDenied: () => undefined, onCall: () => undefined };
    expect(() => createDispatcher(parts)).toThrow(TypeError);
  });
});

describe('hostile arguments', () => {
  const hostile = fc.oneof(
    fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true, withMap: true }),
    fc.constantFrom<unknown>(
      '__proto__',
      '\ud800',
      'a\u0000b',
      '../../x',
      'x'.repeat(100_000),
      -1n,
      1n << 64n,
      Number.NaN,
    ),
  );
  /** Values that are no key, revision or limit at all: whatever is done with them must end without a message. */
  const never = hostile.filter((value) => typeof value !== 'string' || !/^[A-Za-z0-9._:/-]{1,512}$/.test(value));

  it('end in a value of the WIT enum or none, never in an exception, and reach nobody', async () => {
    const storage = storageCapability(closedBus, scope);
    const config = configCapability(CONFIG, scope);
    const errors = ['missing', 'too-large', 'internal', 'conflict'];
    await fc.assert(
      fc.asyncProperty(never, fc.array(hostile, { maxLength: 4 }), async (first, rest) => {
        for (const name of ['get', 'put', 'delete'] as const) {
          const answer = await storage[name]?.([first, ...rest]);
          expect(answer?.ok === false && errors.includes(answer.error)).toBe(true);
        }
        const listed = await storage.listEntries?.([first, 'not a cursor!', ...rest]);
        expect(listed).toEqual({ ok: false, error: 'internal' });
        const got = await config.get?.([first]);
        expect(got?.ok === true || got?.error === 'internal').toBe(true);
      }),
    );
  });

  it('for a storage value over the limit, or a revision that cannot be, are named as such', async () => {
    const storage = storageCapability(closedBus, scope);
    expect(await storage.put?.(['k', new Uint8Array(128 * 1024 + 1)])).toEqual({ ok: false, error: 'too-large' });
    expect(await storage.put?.(['k', new Uint8Array(1), 1n << 60n])).toEqual({ ok: false, error: 'conflict' });
    expect(await storage.put?.(['k', new Uint8Array(1), undefined, 0])).toEqual({ ok: false, error: 'internal' });
    expect(await storage.put?.(['k'.repeat(513), new Uint8Array(1)])).toEqual({ ok: false, error: 'too-large' });
    expect(await storage.listEntries?.(['', undefined, 101])).toEqual({ ok: false, error: 'internal' });
  });
});

describe('context', () => {
  it('says what the envelope says', async () => {
    expect(await contextCapability(scope).getContext?.([])).toEqual({
      ok: true,
      value: {
        requestId: 'request-1',
        tenantId: 'acme',
        extensionId: 'fixture',
        installId: 'inst-1',
        versionId: '1.0.0',
      },
    });
  });
});
