import { checkImports } from './imports.ts';

const refusalOf = (imports: string[], declared: string[] = []) => {
  const result = checkImports(imports, declared);
  return result.ok ? 'accepted' : { code: result.code, errors: result.errors };
};

describe('what a component imports', () => {
  it('is within the manifest when each interface has a declared capability, in either spelling', () => {
    const imports = ['alga:extension/types@1.0.0', 'alga:extension/secrets@1.0.0', 'alga:extension/storage'];
    expect(refusalOf(imports, ['secrets.get', 'storage.read'])).toBe('accepted');
    expect(refusalOf(imports, ['secrets.list', 'storage.write'])).toBe('accepted');
  });

  it('needs no capability for types alone, or for nothing at all', () => {
    expect(refusalOf(['alga:extension/types@1.0.0'])).toBe('accepted');
    expect(refusalOf([])).toBe('accepted');
  });

  it('is refused beyond the manifest, naming the interface and what it needs', () => {
    expect(refusalOf(['alga:extension/secrets@1.0.0', 'alga:extension/http@1.0.0'], ['secrets.get'])).toEqual({
      code: 'capability_undeclared',
      errors: [{ field: '/capabilities', reason: 'alga:extension/http@1.0.0 is imported and needs http.fetch' }],
    });
  });

  it.each([
    'wasi:cli/environment@0.2.0',
    'wasi:http/outgoing-handler@0.2.0',
    'alga:extension/secrets@2.0.0',
    'alga:extension/secrets@1.0.1',
    'alga:extension/secrets@1.0.0@1.0.0',
    'alga:extension/root@1.0.0',
    'alga:extension',
    'alga:extension/secrets/get@1.0.0',
    'alga:extension-evil/secrets@1.0.0',
    'other:package/secrets@1.0.0',
    'log',
    '__proto__',
    'alga:extension/__proto__',
    'alga:extension/constructor@1.0.0',
    '',
  ])('is refused when it is %s', (name) => {
    const refusal = refusalOf([name], ['secrets.get', 'secrets.list']);
    expect(refusal).toMatchObject({ code: 'component_invalid', errors: [{ field: 'component.wasm' }] });
    expect(JSON.stringify(refusal)).toContain(name);
  });
});
