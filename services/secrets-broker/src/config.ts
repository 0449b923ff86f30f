import { statSync } from 'node:fs';
import { integer, jsonFile, list, optionalUrl, path, type Setting, type Settings, text, url } from '@alga/chassis';
import type { PrivateJwk } from './adapters/jose-tokens.ts';
import { Keyring } from './core/keyring.ts';
import type { VerifyKeys } from './core/strict-jws.ts';
import { parseVerifyKeys } from './core/verify-keys.ts';
import { parseWebhookSources, type WebhookSources } from './core/webhook-signature.ts';
import type { ProviderName } from './ports/secret-provider.ts';

export interface BrokerConfig {
  readonly databaseUrl: string;
  readonly keyring: Keyring;
  readonly signingKey: PrivateJwk;
  readonly sealKey: PrivateJwk;
  readonly envelopeKeys: VerifyKeys;
  readonly runnerKeys: VerifyKeys;
  readonly webhookSources: WebhookSources;
  /** After this long a redemption is refused as unavailable. */
  readonly redemptionTimeoutMs: number;
  readonly providers: readonly ProviderName[];
  readonly secretFilesDir: string | undefined;
  readonly vaultAddress: string | undefined;
  readonly vaultTokenFile: string | undefined;
  readonly vaultNamespace: string | undefined;
  /** Where `chain:` names are looked up in Vault, as `<mount>/<path>`. */
  readonly vaultChainFolder: string;
}

const optional = <T>(setting: Setting<T>): Setting<T | undefined> => ({ ...setting, fallback: undefined });

const GROUP_OR_OTHERS = 0o077;

/** A JSON file with key material: nobody but its owner may open it. */
function privateJsonFile<T>(env: string, shape: string, parse: (json: unknown) => T): Setting<T> {
  const setting = jsonFile(env, `${shape}, with mode 0600`, parse);
  const read: Setting<T>['read'] = (raw) => {
    if (isOpenToOthers(raw)) return { ok: false, reason: 'names a file that others than its owner may open' };
    return setting.read(raw);
  };
  return { ...setting, read };
}

function isOpenToOthers(file: string): boolean {
  try {
    return (statSync(file).mode & GROUP_OR_OTHERS) !== 0;
  } catch {
    return false; // reading it then says why it cannot be read
  }
}

function parsePrivateJwk(crv: PrivateJwk['crv']): (json: unknown) => PrivateJwk {
  return (json) => {
    const jwk = (json ?? {}) as Record<string, unknown>;
    const text32 = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value);
    const { x, d, kid } = jwk;
    if (jwk.kty !== 'OKP' || jwk.crv !== crv || !text32(x) || !text32(d))
      throw new Error(`it is not a private ${crv} key`);
    if (typeof kid !== 'string' || kid === '') throw new Error('its kid is missing');
    return { kty: 'OKP', crv, x, d, kid };
  };
}

function providers(env: string): Setting<readonly ProviderName[]> {
  const names = list(
    env,
    /^(?:vault|file|env)$/,
    'vault, file, env, each at most once, in the order in which a chain asks them',
  );
  const read: Setting<readonly ProviderName[]>['read'] = (raw) => {
    const result = names.read(raw);
    if (!result.ok) return result;
    const unique = new Set(result.value).size === result.value.length;
    return unique
      ? { ok: true, value: result.value as readonly ProviderName[] }
      : { ok: false, reason: 'names one twice' };
  };
  return { env, shape: names.shape, read, fallback: ['file', 'env'] };
}

export const settings: Settings<BrokerConfig> = {
  databaseUrl: url('DATABASE_URL', ['postgres', 'postgresql']),
  keyring: privateJsonFile('KEYRING_FILE', 'a keyring file', Keyring.parse),
  signingKey: privateJsonFile('BROKER_SIGNING_KEY_FILE', 'a private Ed25519 JWK', parsePrivateJwk('Ed25519')),
  sealKey: privateJsonFile('BROKER_SEAL_KEY_FILE', 'a private X25519 JWK', parsePrivateJwk('X25519')),
  envelopeKeys: jsonFile('ENVELOPE_PUBLIC_KEYS_FILE', 'a JWKS file of Ed25519 keys', parseVerifyKeys),
  runnerKeys: jsonFile('RUNNER_PUBLIC_KEYS_FILE', 'a JWKS file of Ed25519 keys', parseVerifyKeys),
  webhookSources: privateJsonFile('WEBHOOK_SECRETS_FILE', 'a webhook secrets file', parseWebhookSources),
  // A caller must have its refusal within 2 s, and a redemption in good health needs some milliseconds.
  redemptionTimeoutMs: integer('REDEMPTION_TIMEOUT_MS', { min: 100, max: 30_000, fallback: 2_000 }),
  providers: providers('SECRET_PROVIDERS'),
  secretFilesDir: optional(path('SECRET_FILES_DIR')),
  vaultAddress: optionalUrl('VAULT_ADDR', ['https', 'http']),
  vaultTokenFile: optional(path('VAULT_TOKEN_FILE')),
  vaultNamespace: optional(
    text('VAULT_NAMESPACE', { pattern: /^[A-Za-z0-9_./-]{1,128}$/, shape: 'a Vault namespace' }),
  ),
  vaultChainFolder: text('VAULT_CHAIN_FOLDER', {
    fallback: 'secret/alga',
    pattern: /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)+$/,
    shape: '<mount>/<path>',
  }),
};
