/** A parsed secret reference (`secretReference` in contracts/schemas/v1/common). */
type Reference =
  | { readonly kind: 'vault'; readonly mount: string; readonly path: string; readonly field: string }
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'chain'; readonly name: string };

const VAULT = /^vault:([A-Za-z0-9_-]+)\/([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*)#([A-Za-z0-9_.-]+)$/;
const FILE = /^file:([A-Za-z0-9][A-Za-z0-9_.-]{0,127})$/;
const ENV = /^env:([A-Z][A-Z0-9_]{0,127})$/;
const CHAIN = /^chain:([A-Za-z][A-Za-z0-9_-]{0,127})$/;

/** Undefined when it is not a reference, or its path climbs. */
export function parseReference(text: string): Reference | undefined {
  const vault = VAULT.exec(text);
  if (vault !== null) {
    const [, mount = '', path = '', field = ''] = vault;
    // A server would resolve dot segments into another mount.
    return path.split('/').some((segment) => /^\.+$/.test(segment)) ? undefined : { kind: 'vault', mount, path, field };
  }
  for (const [kind, pattern] of [['file', FILE] as const, ['env', ENV] as const, ['chain', CHAIN] as const]) {
    const name = pattern.exec(text)?.[1];
    if (name !== undefined) return { kind, name };
  }
  return undefined;
}

/** Names that every provider of a chain can spell: lower or upper snake case. */
const SNAKE = /^(?:[a-z][a-z0-9_]*|[A-Z][A-Z0-9_]*)$/;

/** The variable that a chain name stands for; undefined: this name has none. */
export const envNameOf = (chainName: string): string | undefined =>
  SNAKE.test(chainName) ? chainName.toUpperCase() : undefined;

/**
 * Every reference under which an install may be using what `reference` names: an install that refers to `chain:api_key`
 * reads the file `api_key`, so a change of `file:api_key` concerns it. At most four.
 * @param chainFolder Where the chain looks in Vault, as `<mount>/<path>`; undefined: it does not.
 */
export function sameSource(reference: string, chainFolder: string | undefined): readonly string[] {
  const parsed = parseReference(reference);
  const related = parsed === undefined ? [] : relatedTo(parsed, chainFolder);
  return [...new Set([reference, ...related])].filter((text) => parseReference(text) !== undefined);
}

function relatedTo(reference: Reference, chainFolder: string | undefined): string[] {
  switch (reference.kind) {
    case 'file':
      return [`chain:${reference.name}`];
    case 'env':
      return [`chain:${reference.name}`, `chain:${reference.name.toLowerCase()}`];
    case 'vault': {
      const prefix = `${chainFolder}/`;
      const full = `${reference.mount}/${reference.path}`;
      const inFolder = chainFolder !== undefined && reference.field === CHAIN_FIELD && full.startsWith(prefix);
      return inFolder ? [`chain:${full.slice(prefix.length)}`] : [];
    }
    case 'chain': {
      const variable = envNameOf(reference.name);
      return [
        `file:${reference.name}`,
        ...(variable === undefined ? [] : [`env:${variable}`]),
        ...(chainFolder === undefined ? [] : [`vault:${chainFolder}/${reference.name}#${CHAIN_FIELD}`]),
      ];
    }
  }
}

/** The field of a Vault entry that a chain name stands for. */
export const CHAIN_FIELD = 'value';
