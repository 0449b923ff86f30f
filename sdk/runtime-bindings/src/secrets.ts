import { callHost, isSecretErrorCode, SecretError } from './errors.ts';

type Host = Pick<typeof import('alga:extension/secrets@1.0.0'), 'get' | 'listKeys'>;

/** The install's secrets. Every read, refused ones too, is audited by the host. */
export interface SecretsClient {
  /** @throws SecretError with the code missing, denied, expired, unavailable or internal. */
  get(key: string): Promise<string>;
  /** The keys that are set, never a value. @throws SecretError */
  listKeys(): Promise<string[]>;
}

export const secretsClient = (host: Host): SecretsClient => ({
  get: async (key) =>
    callHost(
      () => host.get(key),
      isSecretErrorCode,
      (code) => new SecretError(code, key),
    ),
  listKeys: async () =>
    callHost(
      () => host.listKeys(),
      isSecretErrorCode,
      (code) => new SecretError(code),
    ),
});
