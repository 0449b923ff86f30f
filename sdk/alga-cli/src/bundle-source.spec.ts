import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { scratchDir } from '../spec/scratch.ts';
import { bundleSource } from './bundle-source.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((remove) => remove()));
});

const HANDLER = `import { handler, json } from '@alga/extension-runtime';\n`;

async function bundle(source: string | undefined, interfaces: readonly string[] = []) {
  const { dir, remove } = await scratchDir(source === undefined ? {} : { 'src/index.ts': source });
  cleanups.push(remove);
  return bundleSource(dir, new Set(interfaces));
}

async function codeOf(source: string, interfaces: readonly string[]): Promise<string> {
  const outcome = await bundle(source, interfaces);
  if (!outcome.ok) throw new Error(outcome.problem.message);
  return outcome.value.code;
}

describe('bundleSource', () => {
  it('imports of the host what the manifest allows and nothing else (I6)', async () => {
    const code = await codeOf(`${HANDLER}export default handler(async () => json({}));`, ['secrets', 'logging']);
    const imports = [...code.matchAll(/from "(alga:[^"]+)"/g)].map(([, name]) => name);
    expect(imports).toEqual(['alga:extension/logging@1.0.0', 'alga:extension/secrets@1.0.0']);
  });

  it('runs the prelude before any module of the extension, and exports through it', async () => {
    const code = await codeOf(
      `${HANDLER}console.log('the extension');\nexport default handler(async () => json({}));`,
      [],
    );
    const prelude = code.indexOf('guardBuildTime(globalThis)');
    expect(prelude).toBeGreaterThan(0);
    expect(prelude).toBeLessThan(code.indexOf('the extension'));
    expect(code).toMatch(/handler\w* = serving\(/);
  });

  it('gives the same code and map wherever the folder is, with no path of the machine in them', async () => {
    const source = `${HANDLER}export default handler(async () => json({}));`;
    const { dir, remove } = await scratchDir({ 'deeper/src/index.ts': source });
    cleanups.push(remove);
    const deeper = await bundleSource(join(dir, 'deeper'), new Set(['secrets']));
    const shallow = await bundle(source, ['secrets']);
    if (!shallow.ok) throw new Error(shallow.problem.message);
    expect(deeper).toEqual(shallow);
    expect(shallow.value.code + shallow.value.map).not.toMatch(/runtime-bindings|\.\.\//);
  });

  it('maps the code to places in the sources, without their text', async () => {
    const outcome = await bundle(
      `${HANDLER}const line2 = 'a secret plan';\nexport default handler(async () => json(line2));`,
    );
    if (!outcome.ok) throw new Error(outcome.problem.message);
    const map = JSON.parse(outcome.value.map) as SourceMapPayload;
    expect(map.sources).toEqual(
      expect.arrayContaining(['src/index.ts', 'alga-entry.js', '@alga/extension-runtime/src/serve.ts']),
    );
    expect(map).not.toHaveProperty('sourcesContent');
    expect(outcome.value.map).not.toContain('a secret plan');
    const lines = outcome.value.code.split('\n');
    const line = lines.findIndex((text) => text.includes('a secret plan'));
    expect(new SourceMap(map).findEntry(line, 0)).toMatchObject({ originalSource: 'src/index.ts', originalLine: 1 });
  });

  it.each([
    ['a syntax error', `const a = 1;\nconst b = ;`, { file: 'src/index.ts', line: 2, column: 11 }],
    [
      'a module of Node.js',
      `${HANDLER}import 'node:fs';`,
      { file: 'src/index.ts', line: 2, fix: expect.stringContaining('not the modules of Node.js') },
    ],
    [
      'a package that is not there',
      `import 'no-such-package';`,
      { line: 1, message: 'Could not resolve "no-such-package".', fix: expect.stringContaining('Install the package') },
    ],
    [
      'no default export',
      `export const x = 1;`,
      { file: 'src/index.ts', fix: expect.stringContaining('export default handler(') },
    ],
    [
      'a host module that the manifest does not allow',
      `import { get } from 'alga:extension/secrets@1.0.0';\nexport default get;`,
      { line: 1, fix: 'Add secrets.get or secrets.list to "capabilities" in manifest.json.' },
    ],
    [
      'a host module that does not exist',
      `import { get } from 'alga:extension/secret@1.0.0';\nexport default get;`,
      {
        line: 1,
        message: 'There is no host module "alga:extension/secret@1.0.0".',
        fix: expect.stringContaining('secrets@1.0.0'),
      },
    ],
    ['no source', undefined, { file: 'src/index.ts', fix: 'Write the extension in src/index.ts.' }],
  ])('refuses %s, naming the place and the fix', async (_, source, problem) => {
    const outcome = await bundle(source);
    expect(outcome).toMatchObject({ ok: false, problem: { kind: 'refused', code: 'source_invalid', ...problem } });
  });
});
