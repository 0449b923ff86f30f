import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readConfig } from '@alga/chassis';
import { generateKeys } from '@alga/local-stack';
import { settings } from './config.ts';

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'alga-control-plane-config-'));
  await generateKeys(dir);
});

afterAll(() => rm(dir, { recursive: true, force: true }));

const env = (overrides: Record<string, string> = {}) => ({
  DATABASE_URL: 'postgres://127.0.0.1/control_plane',
  ENVELOPE_SIGNING_KEY_FILE: path.join(dir, 'envelope-signing.jwk'),
  BROKER_SEAL_PUBLIC_KEY_FILE: path.join(dir, 'broker-seal-public.jwk'),
  INTERNAL_TOKEN_FILE: path.join(dir, 'internal-token'),
  OPERATOR_KEY_FILE: path.join(dir, 'operator-key'),
  ...overrides,
});

describe('the settings', () => {
  it('are read from the key files, and print no key', () => {
    const config = readConfig(settings, env());
    expect(JSON.parse(config.envelopeSigningKey.reveal())).toHaveProperty('d');
    expect(JSON.stringify(config)).not.toContain(JSON.parse(config.envelopeSigningKey.reveal()).d);
  });

  it.each([
    [
      'the public half where the private key belongs',
      'ENVELOPE_SIGNING_KEY_FILE',
      'envelope-public.jwks',
      'not an OKP key on Ed25519',
    ],
    ['a key of another curve', 'ENVELOPE_SIGNING_KEY_FILE', 'broker-seal.jwk', 'not an OKP key on Ed25519'],
    ["the broker's private key", 'BROKER_SEAL_PUBLIC_KEY_FILE', 'broker-seal.jwk', 'holds a private key'],
    ['a file that is not JSON', 'BROKER_SEAL_PUBLIC_KEY_FILE', 'internal-token', 'not JSON'],
  ])('refuse %s, naming the setting', (_, name, file, reason) => {
    expect(() => readConfig(settings, env({ [name]: path.join(dir, file) }))).toThrow(new RegExp(`${name}.*${reason}`));
  });

  it('refuse a signing key without an id, quoting none of it', async () => {
    const { kid: _, ...rest } = JSON.parse(readConfig(settings, env()).envelopeSigningKey.reveal());
    const file = path.join(dir, 'no-kid.jwk');
    await writeFile(file, JSON.stringify(rest), { mode: 0o600 });
    let message = '';
    try {
      readConfig(settings, env({ ENVELOPE_SIGNING_KEY_FILE: file }));
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain('kid is not a key id');
    expect(message).not.toContain(rest.d);
  });
});
