import fc from 'fast-check';
import { checkConfig } from './install-config.ts';
import { manifest } from './test-support/installs.ts';

const declared = manifest({
  config: [
    { key: 'url', type: 'string', required: true },
    { key: 'size', type: 'number' },
    { key: 'on', type: 'boolean' },
  ],
});

describe('checkConfig', () => {
  it('accepts what is declared, and writes it canonically', () => {
    expect(checkConfig(declared, { size: 2, url: 'u', on: false })).toEqual({
      kind: 'valid',
      config: '{"on":false,"size":2,"url":"u"}',
    });
  });

  it.each([
    [{ url: 'u', colour: 'red' }, '/config/colour', 'is not declared in the manifest'],
    [{ url: 'u', size: '2' }, '/config/size', 'must be a number'],
    [{ url: 'u', size: Number.POSITIVE_INFINITY }, '/config/size', 'must be a number'],
    [{ url: 'u', on: 1 }, '/config/on', 'must be a boolean'],
    [{ url: null }, '/config/url', 'must be a string'],
    [{ url: '\ud800' }, '/config/url', 'must be a string'],
    [{}, '/config/url', 'is required'],
    [JSON.parse('{"url":"u","__proto__":{}}'), '/config/__proto__', 'is not declared in the manifest'],
    [{ url: 'u', constructor: 'x' }, '/config/constructor', 'is not declared in the manifest'],
  ])('refuses %j, naming %s', (values, field, reason) => {
    expect(checkConfig(declared, values)).toMatchObject({
      kind: 'refused',
      code: 'config_invalid',
      errors: [{ field, reason }],
    });
  });

  it('refuses more text than a reply can carry, with the limit', () => {
    expect(checkConfig(declared, { url: 'x'.repeat(70_000) })).toMatchObject({ code: 'config_invalid', limit: 65_536 });
  });

  it('accepts nothing but declared keys of the declared type, and repeats no value in a refusal', () => {
    const key = fc.oneof(fc.constantFrom('url', 'size', 'on', '__proto__', 'toString'), fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.jsonValue())), (list) => {
        const values = Object.create(null) as Record<string, unknown>;
        for (const [name, value] of list) values[name] = value;
        const checked = checkConfig(declared, values);
        const fits =
          typeof values.url === 'string' &&
          values.url.isWellFormed() &&
          Object.entries(values).every(([name, value]) =>
            declared.config.some((each) => each.key === name && each.type === typeof value),
          );
        expect(checked.kind).toBe(fits ? 'valid' : 'refused');
        if (checked.kind === 'valid') expect(JSON.parse(checked.config)).toEqual({ ...values });
      }),
    );
    const refused = checkConfig(declared, { url: 'u', size: 'hunter2-hunter2' });
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });
});
