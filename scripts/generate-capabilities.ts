// Reads wit/extension-runner.wit and writes contracts/src/generated/capabilities.ts, the one table that says which
// capability guards which host function. Registry, control-plane, runner and CLI share it, so that what a manifest may
// ask for, what a tenant may grant and what the runner checks cannot drift apart (I6).
//
//   node scripts/generate-capabilities.ts           write the file
//   node scripts/generate-capabilities.ts --check   exit 1 where the file on disk is stale

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const WIT_PATH = fileURLToPath(new URL('../wit/extension-runner.wit', import.meta.url));

/** Where the table is written. */
export const OUTPUT_PATH = fileURLToPath(new URL('../contracts/src/generated/capabilities.ts', import.meta.url));

/** One function that the host offers to guests. */
export interface HostFunction {
  readonly interface: string;
  /** As jco calls it on the import object: camelCase. */
  readonly function: string;
  /** As the WIT spells it: kebab-case. */
  readonly witFunction: string;
  readonly capability: string;
}

/** What the table is made of. */
export interface WitSurface {
  readonly package: string;
  readonly version: string;
  readonly hostFunctions: readonly HostFunction[];
}

interface Annotation {
  readonly capability: string;
  readonly line: number;
}

interface Declared {
  readonly interface: string;
  readonly name: string;
  readonly line: number;
  readonly capability: string | undefined;
}

const PACKAGE = /^package\s+([a-z][a-z0-9-]*:[a-z][a-z0-9-]*)(?:@([0-9]+\.[0-9]+\.[0-9]+))?\s*;/;
const BLOCK = /^(interface|world|record|enum|variant|flags|resource)\s+%?([a-z][a-z0-9-]*)\b/;
const FUNCTION = /^%?([a-z][a-z0-9-]*)\s*:\s*(?:async\s+)?func\s*\(/;
const WORLD_IMPORT = /^import\s+%?([a-z][a-z0-9-]*)\s*;/;
// Anything that begins like an annotation is one, so that a slip of the keyboard is refused and not skipped.
const ANNOTATION = /^\/\/\/\s*@\s*(capab\w*)(.*)$/i;
const CAPABILITY = /^[a-z]+\.[a-z]+$/;

/**
 * The host functions of a WIT text, in the order of the text. An annotation on an interface holds for those of its
 * functions that have none of their own.
 *
 * @throws Error naming `file:line` for a function without an annotation, an annotation outside `<noun>.<verb>`, one that
 * belongs to nothing, and for WIT that the table cannot describe.
 */
export function parseWit(text: string, file = 'extension-runner.wit'): WitSurface {
  const fail = (line: number, reason: string): never => {
    throw new Error(`${file}:${line}: ${reason}`);
  };
  let identity: { name: string; version: string } | undefined;
  const declared: Declared[] = [];
  const imported = new Map<string, number>();
  const interfaces = new Set<string>();
  const open: { kind: string; name: string; capability: string | undefined }[] = [];
  let pending: Annotation | undefined;

  for (const [index, source] of withoutBlockComments(text).split('\n').entries()) {
    const line = index + 1;
    const annotation = ANNOTATION.exec(source.trim());
    if (annotation !== null) {
      const [, word, rest = ''] = annotation;
      if (word !== 'capability') fail(line, `"@${word}": the annotation is spelt "@capability"`);
      const capability = rest.trim();
      if (!CAPABILITY.test(capability)) {
        fail(line, `capability "${capability}" is not of the form <noun>.<verb>, for example secrets.get`);
      }
      if (pending !== undefined) fail(line, `a second capability; line ${pending.line} already names one`);
      pending = { capability, line };
      continue;
    }
    const code = source.replace(/\/\/.*$/, '').trim();
    if (code === '') continue;

    const parent = open.at(-1);
    const block = BLOCK.exec(code);
    const fn = FUNCTION.exec(code);
    const worldImport = WORLD_IMPORT.exec(code);
    const packageLine = PACKAGE.exec(code);

    if (packageLine !== null) {
      const [, name, version] = packageLine;
      if (name === undefined || version === undefined) return fail(line, 'the package has no version');
      identity = { name, version };
    } else if (fn !== null && parent?.kind === 'interface') {
      declared.push({
        interface: parent.name,
        name: fn[1] ?? '',
        line,
        capability: pending?.capability ?? parent.capability,
      });
      pending = undefined;
    } else if (worldImport !== null && parent?.kind === 'world') {
      imported.set(worldImport[1] ?? '', line);
    } else if (parent?.kind === 'world' && /^(?:import|include)\b/.test(code)) {
      // The table knows host functions by interface, and a host function outside the table would go unguarded.
      fail(line, 'a world may import only interfaces of this file, by name');
    } else if (block !== null) {
      const [, kind = '', name = ''] = block;
      if (kind === 'resource') fail(line, 'resources are not part of the capability table: use functions');
      if (kind === 'interface') interfaces.add(name);
      if (!code.includes('{')) fail(line, `put the opening brace of "${kind} ${name}" on the same line`);
      if ((kind === 'interface' || kind === 'world') && !code.endsWith('{')) {
        fail(line, `put what "${kind} ${name}" contains on lines of its own`);
      }
      if (!code.endsWith('}')) {
        open.push({ kind, name, capability: kind === 'interface' ? pending?.capability : undefined });
      }
      if (kind === 'interface') pending = undefined;
    } else if (code.startsWith('}')) {
      open.pop();
    }
    if (pending !== undefined) fail(pending.line, 'this capability belongs to no function and no interface');
  }
  if (pending !== undefined) fail(pending.line, 'this capability belongs to no function and no interface');
  if (identity === undefined) return fail(1, 'there is no "package name@version;" line');

  for (const [name, line] of imported) {
    if (!interfaces.has(name)) fail(line, `the world imports "${name}", which this file does not declare`);
  }
  const hostFunctions = declared
    .filter((entry) => imported.has(entry.interface))
    .map((entry): HostFunction => {
      const capability =
        entry.capability ??
        fail(entry.line, `function "${entry.name}" has no "/// @capability <noun>.<verb>" line above it`);
      return { interface: entry.interface, function: camelCase(entry.name), witFunction: entry.name, capability };
    });
  return { package: identity.name, version: identity.version, hostFunctions };
}

/** The text of capabilities.ts for the WIT on disk. */
export function render(): string {
  return renderSurface(parseWit(readFileSync(WIT_PATH, 'utf8'), 'wit/extension-runner.wit'));
}

/** The text of capabilities.ts for one surface. */
export function renderSurface(surface: WitSurface): string {
  const capabilities = [...new Set(surface.hostFunctions.map((fn) => fn.capability))].sort();
  const rows = surface.hostFunctions.map(
    (fn) =>
      `  { interface: '${fn.interface}', function: '${fn.function}', witFunction: '${fn.witFunction}', capability: '${fn.capability}' },`,
  );
  return [
    '// Generated by scripts/generate-capabilities.ts from wit/extension-runner.wit. Do not edit: run npm run generate.',
    '',
    `export const WIT_PACKAGE = '${surface.package}';`,
    `export const WIT_VERSION = '${surface.version}';`,
    '',
    'export interface HostFunction {',
    '  readonly interface: string;',
    '  /** As jco calls it on the import object: camelCase. */',
    '  readonly function: string;',
    '  /** As the WIT spells it: kebab-case. */',
    '  readonly witFunction: string;',
    '  readonly capability: string;',
    '}',
    '',
    '/** Every function that the host offers to guests, with the capability that guards it, in the order of the WIT. */',
    'export const HOST_FUNCTIONS: readonly HostFunction[] = [',
    ...rows,
    '];',
    '',
    '/** Every capability there is, sorted. */',
    'export const CAPABILITIES: readonly string[] = [',
    ...capabilities.map((capability) => `  '${capability}',`),
    '];',
    '',
  ].join('\n');
}

// Newlines stay, so that line numbers do.
function withoutBlockComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
}

function camelCase(kebab: string): string {
  return kebab.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function readOutput(): string | undefined {
  try {
    return readFileSync(OUTPUT_PATH, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function main(args: readonly string[]): number {
  const unknown = args.find((arg) => arg !== '--check');
  if (unknown !== undefined) {
    console.error(`unknown argument "${unknown}"; the only one is --check`);
    return 2;
  }
  const text = render();
  if (!args.includes('--check')) {
    mkdirSync(dirname(OUTPUT_PATH), { recursive: true });
    writeFileSync(OUTPUT_PATH, text);
    return 0;
  }
  if (readOutput() === text) return 0;
  console.error('contracts/src/generated/capabilities.ts is stale: run npm run generate');
  return 1;
}

if (import.meta.main) {
  try {
    process.exitCode = main(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Error ? error.message : 'the capability table could not be generated');
    process.exitCode = 1;
  }
}
