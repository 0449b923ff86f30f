import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  CompactEncrypt,
  CompactSign,
  calculateJwkThumbprint,
  compactDecrypt,
  compactVerify,
  createLocalJWKSet,
  importJWK,
  type JWK,
} from 'jose';
import { busIdentities, generateKeys, seedFileName } from './keys.ts';

describe('generateKeys', () => {
  let dir: string;
  beforeEach(async () => {
    dir = path.join(await mkdtemp(path.join(tmpdir(), 'alga-keys-')), 'keys');
  });
  afterEach(() => rm(path.dirname(dir), { recursive: true, force: true }));

  const snapshot = async () => {
    const names = (await readdir(dir)).sort();
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await readFile(path.join(dir, name), 'utf8')] as const)),
    );
  };
  const jwk = async (name: string) => JSON.parse(await readFile(path.join(dir, name), 'utf8')) as JWK;

  it('makes each key once: later and simultaneous calls keep them all', async () => {
    await Promise.all([generateKeys(dir), generateKeys(dir), generateKeys(dir)]);
    const first = await snapshot();
    await generateKeys(dir);
    expect(await snapshot()).toEqual(first);
  });

  it('lets nobody else read them', async () => {
    await generateKeys(dir);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(dir))
      expect([name, (await stat(path.join(dir, name))).mode & 0o777]).toEqual([name, 0o600]);
  });

  it.each(['envelope', 'artifact', 'broker', 'runner'])(
    'signs with %s and verifies with its public set, by thumbprint',
    async (name) => {
      await generateKeys(dir);
      const key = await jwk(name === 'runner' ? 'runner-identity.jwk' : `${name}-signing.jwk`);
      const jwks = JSON.parse(await readFile(path.join(dir, `${name}-public.jwks`), 'utf8')) as { keys: JWK[] };
      expect(key).toMatchObject({ alg: 'Ed25519', use: 'sig', kid: await calculateJwkThumbprint(key) });
      expect(jwks.keys.some((entry) => 'd' in entry)).toBe(false);
      const token = await new CompactSign(new TextEncoder().encode('x'))
        .setProtectedHeader({ alg: 'Ed25519', kid: key.kid ?? '' })
        .sign(await importJWK(key));
      await expect(compactVerify(token, createLocalJWKSet(jwks), { algorithms: ['Ed25519'] })).resolves.toBeDefined();
    },
  );

  it('seals to the broker so that only its private key opens', async () => {
    await generateKeys(dir);
    const sealed = await new CompactEncrypt(new TextEncoder().encode('x'))
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
      .encrypt(await importJWK(await jwk('broker-seal-public.jwk')));
    const opened = await compactDecrypt(sealed, await importJWK(await jwk('broker-seal.jwk')));
    expect(new TextDecoder().decode(opened.plaintext)).toBe('x');
    expect(await jwk('broker-seal-public.jwk')).not.toHaveProperty('d');
  });

  it('writes the other secrets in the form their readers expect', async () => {
    const { natsPublicKeys } = await generateKeys(dir);
    const files = await snapshot();
    const keyring = JSON.parse(files['keyring.json'] ?? '');
    expect(keyring).toEqual({
      version: 1,
      active: keyring.keys[0].id,
      keys: [{ id: expect.any(String), key: expect.stringMatching(/^[\w-]{43}$/) }],
    });
    expect(files['operator-key']).toMatch(/^alga_op_[\w-]{43}$/);
    expect(files['internal-token']).toMatch(/^[\w-]{43}$/);
    expect(files['runner-token']).not.toBe(files['internal-token']);
    expect(JSON.parse(files['webhook-secrets.json'] ?? '')).toEqual({
      sources: [{ id: 'local', secrets: [expect.stringMatching(/^[\w-]{43}$/)] }],
    });
    for (const identity of busIdentities) {
      expect(files[seedFileName(identity)]).toMatch(/^SU[A-Z2-7]{56}$/);
      expect(natsPublicKeys.get(identity)).toMatch(/^U[A-Z2-7]{55}$/);
    }
    expect(new Set(natsPublicKeys.values()).size).toBe(busIdentities.length);
  });
});
