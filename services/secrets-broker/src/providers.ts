import { EnvProvider } from './adapters/env-provider.ts';
import { FilesystemProvider } from './adapters/filesystem-provider.ts';
import { VaultProvider } from './adapters/vault-provider.ts';
import type { ProviderName, SecretProvider } from './ports/secret-provider.ts';

interface ProviderChoice {
  /** In the order in which a chain asks them. */
  readonly providers: readonly ProviderName[];
  readonly secretFilesDir: string | undefined;
  readonly vaultAddress: string | undefined;
  readonly vaultTokenFile: string | undefined;
  readonly vaultNamespace: string | undefined;
  readonly vaultChainFolder: string;
}

/** The listed providers. @throws Error naming the setting that a listed provider lacks. */
export function configuredProviders(
  choice: ProviderChoice,
  env: NodeJS.ProcessEnv,
): ReadonlyMap<ProviderName, SecretProvider> {
  return new Map(choice.providers.map((name) => [name, create(name, choice, env)]));
}

function create(name: ProviderName, choice: ProviderChoice, env: NodeJS.ProcessEnv): SecretProvider {
  switch (name) {
    case 'file':
      return new FilesystemProvider(needed(choice.secretFilesDir, 'SECRET_FILES_DIR', name));
    case 'env':
      return new EnvProvider(env);
    case 'vault':
      return new VaultProvider({
        address: needed(choice.vaultAddress, 'VAULT_ADDR', name),
        tokenFile: needed(choice.vaultTokenFile, 'VAULT_TOKEN_FILE', name),
        namespace: choice.vaultNamespace,
        chainFolder: choice.vaultChainFolder,
      });
  }
}

function needed(value: string | undefined, setting: string, provider: ProviderName): string {
  if (value === undefined)
    throw new Error(`${setting} is not set: SECRET_PROVIDERS names ${provider}, which needs it.`);
  return value;
}
