import path from 'node:path';
import { type BusIdentity, seedFileName } from './keys.ts';

export const singleServices = ['gateway', 'control-plane', 'registry', 'secrets-broker'] as const;
type SingleService = (typeof singleServices)[number];
export type ServiceName = SingleService | 'runner';

/** Each service that owns a database, and the name of that database. */
export const serviceDatabases = {
  'control-plane': 'control_plane',
  registry: 'registry',
  'secrets-broker': 'secrets_broker',
} as const;

/** What the services of one stack have in common. */
export interface StackSettings {
  readonly keysDir: string;
  readonly secretsDir: string;
  readonly natsUrl: string;
  readonly redisUrl: string;
  readonly databaseUrls: Readonly<Record<keyof typeof serviceDatabases, string>>;
  readonly requestTimeoutMs: number;
  /** Origins on private addresses that extensions may call: a stand-in for a public API on this machine. */
  readonly egressPrivateOrigins: readonly string[];
  /** Set when a Vault is to be used; its token comes from a file. */
  readonly vault: { readonly address: string; readonly tokenFile: string } | undefined;
}

/** The whole environment of one service, apart from PATH: what it needs and nothing of ours. */
export function serviceSettings(
  service: ServiceName,
  instance: string,
  port: number,
  stack: StackSettings,
): Readonly<Record<string, string>> {
  return {
    NATS_URL: stack.natsUrl,
    NATS_NKEY_SEED_FILE: path.join(stack.keysDir, seedFileName(service satisfies BusIdentity)),
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: String(port),
    LOG_LEVEL: 'info',
    SERVICE_INSTANCE: instance,
    ...ownSettings(service, instance, stack),
  };
}

function ownSettings(service: ServiceName, instance: string, stack: StackSettings): Readonly<Record<string, string>> {
  const key = (name: string) => path.join(stack.keysDir, name);
  switch (service) {
    case 'gateway':
      return { REQUEST_TIMEOUT_MS: String(stack.requestTimeoutMs) };
    case 'control-plane':
      return {
        DATABASE_URL: stack.databaseUrls['control-plane'],
        ENVELOPE_SIGNING_KEY_FILE: key('envelope-signing.jwk'),
        BROKER_SEAL_PUBLIC_KEY_FILE: key('broker-seal-public.jwk'),
        INTERNAL_TOKEN_FILE: key('internal-token'),
        OPERATOR_KEY_FILE: key('operator-key'),
      };
    case 'registry':
      return { DATABASE_URL: stack.databaseUrls.registry, ARTIFACT_SIGNING_KEY_FILE: key('artifact-signing.jwk') };
    case 'secrets-broker':
      return {
        DATABASE_URL: stack.databaseUrls['secrets-broker'],
        KEYRING_FILE: key('keyring.json'),
        BROKER_SIGNING_KEY_FILE: key('broker-signing.jwk'),
        BROKER_SEAL_KEY_FILE: key('broker-seal.jwk'),
        ENVELOPE_PUBLIC_KEYS_FILE: key('envelope-public.jwks'),
        RUNNER_PUBLIC_KEYS_FILE: key('runner-public.jwks'),
        WEBHOOK_SECRETS_FILE: key('webhook-secrets.json'),
        SECRET_FILES_DIR: stack.secretsDir,
        ...(stack.vault === undefined
          ? { SECRET_PROVIDERS: 'file,env' }
          : {
              SECRET_PROVIDERS: 'vault,file,env',
              VAULT_ADDR: stack.vault.address,
              VAULT_TOKEN_FILE: stack.vault.tokenFile,
            }),
      };
    case 'runner':
      return {
        RUNNER_ID: instance,
        REDIS_URL: stack.redisUrl,
        RUNNER_IDENTITY_KEY_FILE: key('runner-identity.jwk'),
        ENVELOPE_PUBLIC_KEYS_FILE: key('envelope-public.jwks'),
        BROKER_PUBLIC_KEYS_FILE: key('broker-public.jwks'),
        ARTIFACT_PUBLIC_KEYS_FILE: key('artifact-public.jwks'),
        INTERNAL_TOKEN_FILE: key('runner-token'),
        EGRESS_PRIVATE_ORIGINS: stack.egressPrivateOrigins.join(','),
      };
  }
}
