// src/index.ts and everything it imports, as one JavaScript module that exports the WIT world's `handler`.

import { dirname, relative } from 'node:path';
import { HOST_FUNCTIONS, WIT_PACKAGE, WIT_VERSION } from '@alga/contracts';
import { build, type Message, type Plugin, stop } from 'esbuild';
import { done, type Outcome, type Problem, refused } from './outcome.ts';
import { ENTRY } from './project.ts';
import { stableSources } from './stable-sources.ts';

export interface BundledSource {
  readonly code: string;
  /** Source map v3, as JSON text: names and places of the sources, without their text. */
  readonly map: string;
}

const RUNTIME = '@alga/extension-runtime';
const HOST_MODULE = /^alga:/;
const ENTRY_NAME = 'alga-entry.js';

// The prelude comes first, so that the dependencies of the extension meet the same limits as the extension.
const ENTRY_CODE = `import { serving } from '${RUNTIME}/prelude';
import extension from './${ENTRY}';
if (typeof extension !== 'function') throw new TypeError('the default export of ${ENTRY} is not a handler(...)');
export const handler = serving(extension);
`;

let bundling = 0;

/** @param interfaces The host interfaces that the manifest allows. */
export async function bundleSource(dir: string, interfaces: ReadonlySet<string>): Promise<Outcome<BundledSource>> {
  bundling++;
  try {
    const result = await build({
      stdin: { contents: ENTRY_CODE, resolveDir: dir, sourcefile: ENTRY_NAME, loader: 'js' },
      absWorkingDir: dir,
      outfile: 'index.js',
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'neutral',
      mainFields: ['module', 'main'],
      target: 'es2024',
      sourcemap: 'external',
      // The map goes into the bundle. A platform needs places; the author's text is the author's.
      sourcesContent: false,
      metafile: true,
      legalComments: 'none',
      logLevel: 'silent',
      plugins: [hostModules(interfaces)],
    });
    const text = (suffix: string) => result.outputFiles.find(({ path }) => path.endsWith(suffix))?.text ?? '';
    return done({
      code: withoutPaths(text('.js'), Object.keys(result.metafile.inputs)),
      map: stableSources(text('.js.map'), dir),
    });
  } catch (error) {
    const first = (error as { errors?: Message[] }).errors?.[0];
    if (first === undefined) throw error;
    return refusedBy(first, dir);
  } finally {
    // esbuild keeps a process for the next build, and nobody would wait for its end.
    if (--bundling === 0) await stop();
  }
}

// esbuild writes each input's path above its code. The same sources in another folder must give the same bytes, or each
// copy of a project would be built anew; the lines stay, because the source map counts them.
function withoutPaths(code: string, inputs: readonly string[]): string {
  const comments = new Set(inputs.map((path) => `// ${path}`));
  return code
    .split('\n')
    .map((line) => (comments.has(line) ? '//' : line))
    .join('\n');
}

/**
 * `alga:extension/...` stays an import where the manifest allows it. Where it does not, the runtime gets a stand-in that
 * answers `denied`, and an import in the extension's own code is an error that names the capability.
 */
function hostModules(interfaces: ReadonlySet<string>): Plugin {
  return {
    name: 'alga-host-modules',
    setup(on) {
      on.onResolve({ filter: HOST_MODULE }, async ({ path, importer, resolveDir }) => {
        const name = interfaceOf(path);
        if (name === undefined) {
          const known = [...new Set(HOST_FUNCTIONS.map((fn) => fn.interface))].map(specifier).join(', ');
          return { errors: [{ text: `there is no host module "${path}"`, detail: `Import one of: ${known}.` }] };
        }
        if (interfaces.has(name)) return { path, external: true, sideEffects: false };
        const runtime = await on.resolve(RUNTIME, { resolveDir, kind: 'import-statement' });
        if (runtime.path !== '' && dirname(runtime.path) === dirname(importer)) {
          return { path: name, namespace: 'alga-denied', sideEffects: false };
        }
        const capabilities = HOST_FUNCTIONS.filter((fn) => fn.interface === name).map((fn) => fn.capability);
        const detail = `Add ${[...new Set(capabilities)].join(' or ')} to "capabilities" in manifest.json.`;
        return { errors: [{ text: `the manifest allows nothing of ${path}`, detail }] };
      });
      on.onLoad({ filter: /.*/, namespace: 'alga-denied' }, ({ path }) => ({ contents: deniedModule(path) }));
    },
  };
}

const specifier = (name: string): string => `${WIT_PACKAGE}/${name}@${WIT_VERSION}`;

function interfaceOf(path: string): string | undefined {
  return HOST_FUNCTIONS.find((fn) => specifier(fn.interface) === path)?.interface;
}

/** What the host would say, said without asking it. Log lines are dropped: WIT gives logging no way to refuse. */
function deniedModule(name: string): string {
  const body = name === 'logging' ? '{}' : `{ throw Object.assign(new Error('denied'), { payload: 'denied' }); }`;
  const names = HOST_FUNCTIONS.filter((fn) => fn.interface === name).map((fn) => fn.function);
  return `function denied() ${body}\nexport { ${names.map((fn) => `denied as ${fn}`).join(', ')} };\n`;
}

function refusedBy(message: Message, dir: string): { ok: false; problem: Problem } {
  const { location, text, detail } = message;
  const missing = /^Could not resolve "([^"]+)"/.exec(text)?.[1];
  return refused({
    code: 'source_invalid',
    message: `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`,
    fix: typeof detail === 'string' && detail !== '' ? detail : fixFor(text, missing),
    // esbuild places what is missing of the extension's own file in our entry, which its author never sees.
    ...(location !== null && location.file !== ENTRY_NAME
      ? { file: relative(dir, `${dir}/${location.file}`), line: location.line, column: location.column + 1 }
      : { file: ENTRY }),
  });
}

function fixFor(text: string, missing: string | undefined): string {
  if (missing === `./${ENTRY}`) return `Write the extension in ${ENTRY}.`;
  if (missing?.startsWith(RUNTIME)) return `Run npm install ${RUNTIME} in the extension's folder.`;
  if (missing !== undefined) {
    return 'Install the package, or do without it: an extension has the web platform, not the modules of Node.js.';
  }
  if (text.startsWith('No matching export') && text.includes('"default"')) {
    return `Write: export default handler(async ({ request }) => json({}));`;
  }
  return 'Correct the source at this place.';
}
