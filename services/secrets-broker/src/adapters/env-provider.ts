import { createHash } from 'node:crypto';
import { envNameOf, parseReference } from '../core/reference.ts';
import { checkedSecret, type Reading, SourceTrouble } from '../core/secret-reading.ts';
import type { SecretProvider } from '../ports/secret-provider.ts';

const SOURCE = 'env';
/** `env:API_KEY` is the variable ALGA_SECRET_API_KEY: no reference reaches PATH or VAULT_TOKEN. */
const PREFIX = 'ALGA_SECRET_';

/** Variables of this process. They change only with a restart: for development and small installations. */
export class EnvProvider implements SecretProvider {
  readonly #values: ReadonlyMap<string, string>;

  constructor(env: NodeJS.ProcessEnv) {
    const own = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.#values = new Map(own.filter(([name]) => name.startsWith(PREFIX)));
  }

  async read(reference: string): Promise<Reading> {
    const parsed = parseReference(reference);
    if (parsed?.kind !== 'env') throw new SourceTrouble(SOURCE, 'the reference is not one of a variable');
    const raw = this.#values.get(`${PREFIX}${parsed.name}`);
    if (raw === undefined) return { outcome: 'not_found' };
    const value = checkedSecret(SOURCE, raw);
    return { outcome: 'found', value, version: createHash('sha256').update(raw).digest('base64url') };
  }

  locate(chainName: string): string | undefined {
    const name = envNameOf(chainName);
    return name === undefined ? undefined : `env:${name}`;
  }
}
