import { readdirSync, readFileSync } from 'node:fs';
import type { Messages } from './generated/types.ts';
import { parse } from './validate.ts';

const SCHEMAS = new URL('../schemas/v1/', import.meta.url);
const EXAMPLES = new URL('../examples/v1/', import.meta.url);

const schemas = readdirSync(SCHEMAS)
  .filter((file) => file.endsWith('.schema.json') && file !== 'common.schema.json')
  .map((file) => file.replace('.schema.json', '') as keyof Messages);

function examples(schema: string, kind: 'valid' | 'invalid'): { name: string; value: unknown }[] {
  const folder = new URL(`${schema}/${kind}/`, EXAMPLES);
  return readdirSync(folder).map((file) => {
    expect(file).toMatch(/\.json$/);
    return { name: file.replace('.json', ''), value: JSON.parse(readFileSync(new URL(file, folder), 'utf8')) };
  });
}

/** `secrets.0.key-trap` is about `/secrets/0/key`; `root-...` about the whole. */
const fieldOf = (name: string): string => {
  const field = name.slice(0, name.indexOf('-'));
  return field === 'root' ? '/' : `/${field.replaceAll('.', '/')}`;
};

describe.each(schemas)('the examples of %s', (schema) => {
  it('are at least one valid and two invalid', () => {
    expect(examples(schema, 'valid').length).toBeGreaterThanOrEqual(1);
    expect(examples(schema, 'invalid').length).toBeGreaterThanOrEqual(2);
  });

  it('are accepted when valid', () => {
    for (const { name, value } of examples(schema, 'valid')) {
      expect({ name, parsed: parse(schema, value) }).toEqual({ name, parsed: { ok: true, value } });
    }
  });

  it('are refused when invalid, for the field that the file name says', () => {
    for (const { name, value } of examples(schema, 'invalid')) {
      const parsed = parse(schema, value);
      const fields = parsed.ok ? [] : parsed.errors.map(({ field }) => field);
      expect({ name, fields }).toEqual({ name, fields: expect.arrayContaining([fieldOf(name)]) });
    }
  });
});

it('there are no examples of schemas that do not exist', () => {
  expect(readdirSync(EXAMPLES).filter((name) => !schemas.includes(name as keyof Messages))).toEqual([]);
});
