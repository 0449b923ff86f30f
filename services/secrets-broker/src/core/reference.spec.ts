import { envNameOf, parseReference, sameSource } from './reference.ts';

describe('a secret reference', () => {
  it('is parsed into what its kind needs', () => {
    expect(parseReference('vault:secret/apps/sync#api.key')).toEqual({
      kind: 'vault',
      mount: 'secret',
      path: 'apps/sync',
      field: 'api.key',
    });
    expect(parseReference('file:api_key.txt')).toEqual({ kind: 'file', name: 'api_key.txt' });
    expect(parseReference('env:API_KEY')).toEqual({ kind: 'env', name: 'API_KEY' });
    expect(parseReference('chain:api_key')).toEqual({ kind: 'chain', name: 'api_key' });
  });

  it.each([
    '',
    'file:../etc/passwd',
    'file:/etc/passwd',
    'file:.hidden',
    'file:..data',
    'file:a\0b',
    'env:path',
    'env:A=B',
    'vault:secret/../sys/raw#key',
    'vault:secret/./a#key',
    'vault:secret/a/...#key',
    'vault:secret#key',
    'vault:secret/a',
    'chain:a/b',
    'http://vault/secret',
    'file:a\n',
  ])('%j is refused', (text) => {
    expect(parseReference(text)).toBeUndefined();
  });
});

describe('the references that a change concerns', () => {
  const FOLDER = 'secret/alga';

  it.each([
    ['file:api_key', ['file:api_key', 'chain:api_key']],
    ['file:api.key', ['file:api.key']], // no chain name has a dot
    ['env:API_KEY', ['env:API_KEY', 'chain:API_KEY', 'chain:api_key']],
    ['vault:secret/alga/api_key#value', ['vault:secret/alga/api_key#value', 'chain:api_key']],
    ['vault:secret/alga/api_key#other', ['vault:secret/alga/api_key#other']],
    ['vault:secret/other/api_key#value', ['vault:secret/other/api_key#value']],
    ['chain:api_key', ['chain:api_key', 'file:api_key', 'env:API_KEY', 'vault:secret/alga/api_key#value']],
    ['chain:api-key', ['chain:api-key', 'file:api-key', 'vault:secret/alga/api-key#value']],
  ])('%s: whatever reads it, by whichever name', (reference, expected) => {
    expect(sameSource(reference, FOLDER)).toEqual(expected);
  });

  it('leave Vault out where the chain does not ask it', () => {
    expect(sameSource('chain:api_key', undefined)).toEqual(['chain:api_key', 'file:api_key', 'env:API_KEY']);
  });

  it('find back every chain name that a variable can stand for', () => {
    for (const name of ['api_key', 'API_KEY', 'a1']) {
      expect(sameSource(`env:${envNameOf(name)}`, undefined)).toContain(`chain:${name}`);
    }
    for (const name of ['apiKey', 'api-key']) expect(envNameOf(name)).toBeUndefined();
  });
});
