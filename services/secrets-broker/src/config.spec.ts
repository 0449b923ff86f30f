import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readConfig } from '@alga/chassis';
import { generateKeys } from '@alga/local-stack';
import { settings } from './config.ts';

describe("the broker's settings", () => {
  let dir: string;
  let env: Record<string, string>;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-broker-config-'));
    await generateKeys(dir);
    env = {
      DATABASE_URL: 'postgres://localhost/x',
      KEYRING_FILE: path.join(dir, 'keyring.json'),
      BROKER_SIGNING_KEY_FILE: path.join(dir, 'broker-signing.jwk'),
      BROKER_SEAL_KEY_FILE: path.join(dir, 'broker-seal.jwk'),
      ENVELOPE_PUBLIC_KEYS_FILE: path.join(dir, 'envelope-public.jwks'),
      RUNNER_PUBLIC_KEYS_FILE: path.join(dir, 'runner-public.jwks'),
      WEBHOOK_SECRETS_FILE: path.join(dir, 'webhook-secrets.json'),
    };
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('are complete with the keys of a local stack', () => {
    expect(readConfig(settings, env)).toMatchObject({ providers: ['file', 'env'], vaultAddress: undefined });
  });

  it.each(['KEYRING_FILE', 'BROKER_SIGNING_KEY_FILE', 'BROKER_SEAL_KEY_FILE', 'WEBHOOK_SECRETS_FILE'])(
    'refuse a %s that its group or others may open',
    async (name) => {
      for (const mode of [0o640, 0o604, 0o660]) {
        await chmod(env[name] ?? '', mode);
        expect(() => readConfig(settings, env)).toThrow(`${name} names a file that others than its owner may open`);
      }
    },
  );

  it('quote nothing of a key file that is refused', async () => {
    await writeFile(env.KEYRING_FILE ?? '', '{"version":1,"active":"a","keys":[{"id":"a","key":"do-not-print-me"}]}');
    expect(() => readConfig(settings, env)).toThrow(/^(?!.*do-not-print-me).*KEYRING_FILE/s);
  });

  it.each(['vault;file', 'consul', 'file,file', ''])('take the provider list %j for what it is', (list) => {
    const attempt = () => readConfig(settings, { ...env, SECRET_PROVIDERS: list });
    if (list === '') expect(attempt().providers).toEqual(['file', 'env']);
    else expect(attempt).toThrow('SECRET_PROVIDERS');
  });
});
