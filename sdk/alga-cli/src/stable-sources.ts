import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const MODULES = 'node_modules/';

/**
 * A source map whose sources are named the same wherever the folder `dir` is: `src/...` for the extension's own, the name
 * of the package before everything else. No path of the machine stays in it.
 */
export function stableSources(map: string, dir: string): string {
  const parsed = JSON.parse(map) as { sources: string[] };
  return JSON.stringify({ ...parsed, sources: parsed.sources.map((source) => stableName(source, dir)) });
}

function stableName(source: string, dir: string): string {
  if (!source.startsWith('../')) return source;
  const installed = source.lastIndexOf(MODULES);
  if (installed !== -1) return source.slice(installed);
  const file = resolve(dir, source);
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const name = packageName(join(folder, 'package.json'));
    if (name !== undefined) return `${name}/${relative(folder, file)}`;
  }
  return source.replace(/^(\.\.\/)+/, '');
}

function packageName(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const { name } = JSON.parse(readFileSync(path, 'utf8')) as { name?: unknown };
  return typeof name === 'string' ? name : undefined;
}
