import type { Bus } from '@alga/chassis';
import { AlgaError, type ErrorCode } from '@alga/contracts';
import { claims } from '../test-support/tokens.ts';
import { storageCapability } from './storage.ts';

/** The capability over a bus that answers every request in one way. */
function setUp(answer: () => Promise<unknown>, remainingMs = 60_000) {
  const explained: [string, string][] = [];
  const requests: { readonly request: unknown; readonly deadlineMs: number }[] = [];
  const bus: Pick<Bus, 'request'> = {
    request: (_channel, request, { deadlineMs }) => {
      requests.push({ request, deadlineMs });
      return answer() as Promise<never>;
    },
  };
  const storage = storageCapability(bus, {
    claims: claims(),
    token: 'a.b.c',
    requestId: 'request-1',
    remainingMs: () => remainingMs,
    explain: (hostFunction, reason) => explained.push([hostFunction, reason]),
  });
  return { storage, explained, requests };
}

const refusing = (code: ErrorCode, message?: string) => setUp(() => Promise.reject(new AlgaError(code, message)));
const put = ['k', new Uint8Array(3), undefined, undefined];

describe('storage', () => {
  it('tells a guest that its quota is used up as too-large, and the operator which one it is', async () => {
    const { storage, explained } = refusing('body_too_large', 'An install may store 1000 keys.');
    expect(await storage.put?.(put)).toEqual({ ok: false, error: 'too-large' });
    expect(explained).toEqual([['storage.put', 'An install may store 1000 keys.']]);
  });

  it('says which limit a key or a value is over, and sends it to nobody', async () => {
    const { storage, explained, requests } = setUp(async () => ({}));
    expect(await storage.put?.(['k'.repeat(513), new Uint8Array(1)])).toEqual({ ok: false, error: 'too-large' });
    expect(await storage.put?.(['k', new Uint8Array(131_073)])).toEqual({ ok: false, error: 'too-large' });
    expect(explained).toEqual([
      ['storage.put', 'the key has more than 512 characters'],
      ['storage.put', 'the value has more than 131072 bytes'],
    ]);
    expect(requests).toEqual([]);
  });

  it.each<[ErrorCode, string]>([
    ['forbidden', 'denied'],
    ['envelope_expired', 'denied'],
    ['envelope_invalid', 'denied'],
    ['install_suspended', 'denied'],
    ['extension_not_found', 'denied'],
    ['conflict', 'conflict'],
    ['unavailable', 'unavailable'],
    ['overloaded', 'unavailable'],
    ['deadline_exceeded', 'unavailable'],
  ])('answers %s of the control-plane with %s', async (code, error) => {
    const { storage, explained } = refusing(code);
    for (const work of [storage.get?.(['k']), storage.put?.(put), storage.delete?.(['k'])]) {
      expect(await work).toEqual({ ok: false, error });
    }
    expect(explained).toEqual([]);
  });

  it.each<ErrorCode>(['bad_request', 'internal'])(
    'does not take %s for an answer: it is a fault of ours',
    async (code) => {
      await expect(refusing(code).storage.get?.(['k'])).rejects.toMatchObject({ code });
    },
  );

  it('goes in the name of the envelope, and waits no longer than the guest has time', async () => {
    const { storage, requests } = setUp(async () => ({ outcome: 'stored', revision: 9 }), 1_200);
    expect(await storage.put?.(['k', new Uint8Array([1, 2, 255]), 8n, 60])).toEqual({ ok: true, value: 9n });
    const request = { token: 'a.b.c', key: 'k', value: 'AQL/', expectedRevision: 8, ttlSeconds: 60 };
    expect(requests).toEqual([{ request, deadlineMs: 1_200 }]);
    const patient = setUp(async () => ({}), 60_000);
    await patient.storage.get?.(['k']);
    expect(patient.requests[0]?.deadlineMs).toBe(5_000);
  });
});
