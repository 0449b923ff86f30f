import { Secret } from '@alga/contracts';
import { type Reading, SourceTrouble } from '../core/secret-reading.ts';
import { conformsToSecretProvider } from '../ports/secret-provider.conformance.ts';
import type { ProviderName, SecretProvider } from '../ports/secret-provider.ts';
import { ChainedProvider } from './chained-provider.ts';
import { EnvProvider } from './env-provider.ts';

const found = (text: string): Reading => ({ outcome: 'found', value: new Secret(text), version: '1' });
const NOT_FOUND: Reading = { outcome: 'not_found' };

/** One link of a chain that answers everything alike, and notes what it was asked. */
function link(kind: ProviderName, answer: Reading | Error, asked: string[]): [ProviderName, SecretProvider] {
  const provider: SecretProvider = {
    async read(reference) {
      asked.push(reference);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    locate: (name) => (kind === 'vault' ? `vault:secret/alga/${name}#value` : `${kind}:${name}`),
  };
  return [kind, provider];
}

describe('the provider chain', () => {
  conformsToSecretProvider(async () => {
    const env: NodeJS.ProcessEnv = {};
    let broken = false;
    // Two links of which the first never has anything: what the chain says is what the second says.
    const first = link('file', NOT_FOUND, [])[1];
    const last: SecretProvider = {
      async read(reference) {
        if (broken) throw new SourceTrouble('env', 'broken by the suite');
        return new EnvProvider(env).read(reference);
      },
      locate: (name) => new EnvProvider(env).locate(name),
    };
    return {
      provider: new ChainedProvider(
        new Map<ProviderName, SecretProvider>([
          ['file', first],
          ['env', last],
        ]),
      ),
      reference: (name) => `chain:${name}`,
      put: async (name, value) => {
        env[`ALGA_SECRET_${name.toUpperCase()}`] = value;
      },
      remove: async (name) => {
        delete env[`ALGA_SECRET_${name.toUpperCase()}`];
      },
      breakSource: async () => {
        broken = true;
      },
      close: async () => undefined,
    };
  });

  const ask = async (links: readonly [ProviderName, SecretProvider][], reference: string) => {
    const reading = await new ChainedProvider(new Map(links)).read(reference, AbortSignal.timeout(1_000));
    return reading.outcome === 'found' ? reading.value.reveal() : reading.outcome;
  };

  it('asks in the configured order and stops at the first that has it', async () => {
    const asked: string[] = [];
    const links = [link('vault', NOT_FOUND, asked), link('file', found('f'), asked), link('env', found('e'), asked)];
    await expect(ask(links, 'chain:api_key')).resolves.toBe('f');
    expect(asked).toEqual(['vault:secret/alga/api_key#value', 'file:api_key']);
    await expect(ask(links.toReversed(), 'chain:api_key')).resolves.toBe('e');
  });

  it('says not_found only when all of them do', async () => {
    await expect(ask([link('vault', NOT_FOUND, []), link('env', NOT_FOUND, [])], 'chain:a')).resolves.toBe('not_found');
  });

  it('never goes past a provider in trouble: a sealed Vault does not make the environment count', async () => {
    const asked: string[] = [];
    const links = [link('vault', new SourceTrouble('vault', 'sealed'), []), link('env', found('planted'), asked)];
    await expect(ask(links, 'chain:api_key')).rejects.toBeInstanceOf(SourceTrouble);
    expect(asked).toEqual([]);
  });

  it('sends any other reference to its own provider alone', async () => {
    const asked: string[] = [];
    const links = [link('vault', NOT_FOUND, []), link('file', found('f'), asked), link('env', found('e'), asked)];
    await expect(ask(links, 'vault:secret/app#key')).resolves.toBe('not_found');
    expect(asked).toEqual([]);
  });

  it('is in trouble, and does not say not_found, when no provider of that kind is configured', async () => {
    await expect(ask([link('env', found('e'), [])], 'vault:secret/app#key')).rejects.toBeInstanceOf(SourceTrouble);
  });
});
