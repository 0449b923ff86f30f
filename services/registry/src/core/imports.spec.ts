import { HOST_FUNCTIONS } from '@alga/contracts';
import { checkImports } from './imports.ts';

const refusalOf = (names: string[], declared: string[] = []) => {
  const functions = names.map((name) => {
    const [inInterface = '', witFunction = ''] = name.split('#');
    return { interface: inInterface, function: witFunction };
  });
  const result = checkImports(functions, declared);
  return result.ok ? 'accepted' : { code: result.code, errors: result.errors };
};

describe('what a component imports', () => {
  it('is within the manifest when it imports nothing, or a capability of each interface is declared', () => {
    expect(refusalOf([])).toBe('accepted');
    const whole = ['secrets#get', 'secrets#list-keys', 'storage#get', 'storage#put', 'storage#delete'];
    expect(refusalOf(whole, ['secrets.get', 'storage.read'])).toBe('accepted');
    expect(refusalOf(whole, ['secrets.list', 'storage.write'])).toBe('accepted');
  });

  it('needs the capability of the very function where it imports no other of its interface', () => {
    expect(refusalOf(['storage#get'], ['storage.read'])).toBe('accepted');
    expect(refusalOf(['storage#get'], ['storage.write'])).toEqual({
      code: 'capability_undeclared',
      errors: [{ field: '/capabilities', reason: 'alga:extension/storage is imported and needs storage.read' }],
    });
  });

  it('is refused beyond the manifest, naming each interface and what it needs', () => {
    expect(
      refusalOf(['secrets#get', 'secrets#list-keys', 'http#fetch', 'context#get-context'], ['context.read']),
    ).toEqual({
      code: 'capability_undeclared',
      errors: [
        { field: '/capabilities', reason: 'alga:extension/secrets is imported and needs secrets.get or secrets.list' },
        { field: '/capabilities', reason: 'alga:extension/http is imported and needs http.fetch' },
      ],
    });
  });

  it.each(['secrets#read-all', 'root#shell', '__proto__#get', 'constructor#'])(
    'is refused when nobody knows it: %s',
    (name) => {
      expect(refusalOf([name], ['secrets.get', 'secrets.list'])).toMatchObject({ code: 'capability_undeclared' });
    },
  );

  it('is judged for every function that the platform has', () => {
    for (const host of HOST_FUNCTIONS) {
      const name = `${host.interface}#${host.witFunction}`;
      expect(refusalOf([name], [host.capability])).toBe('accepted');
      expect(refusalOf([name])).toMatchObject({ code: 'capability_undeclared' });
    }
  });
});
