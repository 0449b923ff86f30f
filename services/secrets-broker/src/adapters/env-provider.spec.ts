import { SourceTrouble } from '../core/secret-reading.ts';
import { conformsToSecretProvider } from '../ports/secret-provider.conformance.ts';
import type { SecretProvider } from '../ports/secret-provider.ts';
import { EnvProvider } from './env-provider.ts';

describe('the environment provider', () => {
  conformsToSecretProvider(async () => {
    // An environment does not change under a process: each change here is a restart with another one.
    const env: NodeJS.ProcessEnv = {};
    let broken = false;
    const provider: SecretProvider = {
      async read(reference) {
        if (broken) throw new SourceTrouble('env', 'an environment cannot break; the suite asks for it');
        return new EnvProvider(env).read(reference);
      },
      locate: (name) => new EnvProvider(env).locate(name),
    };
    const variable = (name: string) => `ALGA_SECRET_${name.toUpperCase()}`;
    return {
      provider,
      reference: (name) => `env:${name.toUpperCase()}`,
      put: async (name, value) => {
        env[variable(name)] = value;
      },
      remove: async (name) => {
        delete env[variable(name)];
      },
      breakSource: async () => {
        broken = true;
      },
      close: async () => undefined,
    };
  });

  it.each(['PATH', 'VAULT_TOKEN', 'HOME', 'DATABASE_URL'])(
    'never reads %s: only what begins with its prefix',
    async (name) => {
      const provider = new EnvProvider({ [name]: 'not a secret of an install' });
      await expect(provider.read(`env:${name}`)).resolves.toEqual({ outcome: 'not_found' });
    },
  );

  it('does not see variables that are set after it was made', async () => {
    const env: NodeJS.ProcessEnv = {};
    const provider = new EnvProvider(env);
    env.ALGA_SECRET_LATE = 'x';
    await expect(provider.read('env:LATE')).resolves.toEqual({ outcome: 'not_found' });
  });
});
