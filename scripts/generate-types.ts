import { readdirSync, readFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

const SCHEMAS = new URL('../contracts/schemas/v1/', import.meta.url);
export const TYPES_FILE = new URL('../contracts/src/generated/types.ts', import.meta.url);

interface SchemaFile {
  title: string;
  $defs?: Record<string, object>;
}

/** One module with a type per schema, so that shared definitions appear once. */
export async function renderTypes(): Promise<string> {
  const names = readdirSync(SCHEMAS)
    .filter((file) => file.endsWith('.schema.json'))
    .sort();
  const files = names.map((file) => ({
    name: file.replace('.schema.json', ''),
    schema: JSON.parse(readFileSync(new URL(file, SCHEMAS), 'utf8')) as SchemaFile,
  }));
  const titles = new Map(files.map(({ name, schema }) => [name, schema.title]));
  const local = (reference: string): string => {
    const [file = '', pointer] = reference.split('.schema.json');
    if (pointer === undefined) return reference;
    return pointer.startsWith('#/$defs/') ? pointer : `#/$defs/${titles.get(file)}`;
  };
  const relink = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(relink);
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(
      Object.entries(node)
        .filter(([key]) => key !== '$id' && key !== '$schema')
        .map(([key, value]) => [key, key === '$ref' && typeof value === 'string' ? local(value) : relink(value)]),
    );
  };
  const definitions: Record<string, unknown> = {};
  const messages: string[] = [];
  for (const { name, schema } of files) {
    if (name === 'common') {
      Object.assign(definitions, relink(schema.$defs));
      continue;
    }
    definitions[schema.title] = relink(schema);
    messages.push(`  ${JSON.stringify(name)}: ${schema.title};`);
  }
  const body = await compile({ $defs: definitions } as JSONSchema, 'Unused', {
    bannerComment: '// Generated from contracts/schemas/v1 by `npm run generate`. Do not edit.',
    additionalProperties: false,
    unreachableDefinitions: true,
    format: false,
    ignoreMinAndMaxItems: true,
  });
  // The compiler credits its synthetic root in every comment; that says nothing to a reader.
  const cleaned = body
    .replace(/export interface Unused \{[\s\S]*?\n?\}\n/, '')
    .replace(
      /\n \* ?\n \* This interface was referenced by `Unused`'s JSON-Schema\n \* via the `definition` "[^"]*"\./g,
      '',
    )
    .replace(
      /\/\*\*\n \* This interface was referenced by `Unused`'s JSON-Schema\n \* via the `definition` "[^"]*"\.\n \*\/\n/g,
      '',
    );
  return `${cleaned.trimEnd()}\n\n/** Schema name -> the type of its messages. */\nexport interface Messages {\n${messages.join('\n')}\n}\n`;
}
