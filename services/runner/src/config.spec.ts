import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { readConfig } from '@alga/chassis';
import { LIMIT_RANGES } from '@alga/contracts';
import { settings } from './config.ts';
import { type KeyPair, signingKeys } from './test-support/tokens.ts';

let dir: string;
let keys: KeyPair;
let env: Record<string, string>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'alga-config-'));
  keys = await signingKeys();
  env = {
    RUNNER_IDENTITY_KEY_FILE: await file('identity', keys.privateJwk),
    ENVELOPE_PUBLIC_KEYS_FILE: await file('public', { keys: [keys.publicJwk] }),
    INTERNAL_TOKEN_FILE: await file('token', 'internal'),
  };
  const publicKeys = env.ENVELOPE_PUBLIC_KEYS_FILE ?? '';
  env = { ...env, BROKER_PUBLIC_KEYS_FILE: publicKeys, ARTIFACT_PUBLIC_KEYS_FILE: publicKeys };
});

afterAll(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, content: unknown): Promise<string> {
  await writeFile(join(dir, name), JSON.stringify(content));
  return join(dir, name);
}

describe('the settings of a runner', () => {
  it('need keys and nothing else; every runner gets an id of its own, and no shared cache', () => {
    const config = readConfig(settings, env);
    expect(config).toMatchObject({ redisUrl: undefined, egressPrivateOrigins: [], maxInFlight: 64, maxSandboxes: 16 });
    expect(config.runnerId).toMatch(/^runner-[0-9a-f]{12}$/);
    expect(config.envelopeKeys).toMatchObject([{ kid: keys.kid }]);
  });

  it('let guests have what a manifest may ask for, unless the operator allows less; never more', () => {
    const ceilings = (set: Record<string, string>) => {
      const { maxGuestTimeoutMs, maxGuestCpuMs, maxGuestMemoryMb } = readConfig(settings, { ...env, ...set });
      return [maxGuestTimeoutMs, maxGuestCpuMs, maxGuestMemoryMb];
    };
    const { timeoutMs, cpuMs, memoryMb } = LIMIT_RANGES;
    expect(ceilings({})).toEqual([timeoutMs.maximum, cpuMs.maximum, memoryMb.maximum]);
    const lower = { MAX_GUEST_TIMEOUT_MS: '2000', MAX_GUEST_CPU_MS: '500', MAX_GUEST_MEMORY_MB: '32' };
    expect(ceilings(lower)).toEqual([2_000, 500, 32]);
    for (const [name, { minimum, maximum }] of [
      ['MAX_GUEST_TIMEOUT_MS', timeoutMs],
      ['MAX_GUEST_CPU_MS', cpuMs],
      ['MAX_GUEST_MEMORY_MB', memoryMb],
    ] as const) {
      expect(() => ceilings({ [name]: String(maximum + 1) })).toThrow(name);
      expect(() => ceilings({ [name]: String(minimum - 1) })).toThrow(name);
    }
  });

  it('I3: print no private key', () => {
    const { identity } = readConfig(settings, env);
    expect(inspect(identity, { depth: 9 }) + JSON.stringify(identity)).not.toContain(keys.privateJwk.d);
  });

  it.each<[string, () => unknown, string]>([
    ['private keys where public ones belong', () => ({ keys: [keys.privateJwk] }), 'a private key'],
    ['two keys with one kid', () => ({ keys: [keys.publicJwk, keys.publicJwk] }), 'two keys with one kid'],
    ['a key of another curve', () => ({ keys: [{ ...keys.publicJwk, crv: 'X25519' }] }), 'not Ed25519'],
    ['a key without kid', () => ({ keys: [{ ...keys.publicJwk, kid: undefined }] }), 'without kid'],
    ['no keys', () => ({ keys: [] }), 'no keys'],
  ])('refuse %s, and quote none of it', async (_, content, reason) => {
    const bad = { ...env, BROKER_PUBLIC_KEYS_FILE: await file('bad', content()) };
    expect(() => readConfig(settings, bad)).toThrow(reason);
    expect(() => readConfig(settings, bad)).not.toThrow(keys.privateJwk.d);
  });

  it.each(['http://a.example/path', 'a.example', 'https://user@a.example', 'file:///etc'])(
    'refuse %s as a private origin',
    (origin) =>
      expect(() => readConfig(settings, { ...env, EGRESS_PRIVATE_ORIGINS: origin })).toThrow('EGRESS_PRIVATE'),
  );
});
