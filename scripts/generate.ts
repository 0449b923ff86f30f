import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

// Writes every generated file; with --check, writes nothing and fails when one is stale.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
const stale: string[] = [];

function emit(file: string | URL, content: string): void {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  const present = read(path);
  if (present === content) return;
  stale.push(relative(ROOT, path));
  if (check) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

const capabilities = await import('./generate-capabilities.ts');
emit(capabilities.OUTPUT_PATH, capabilities.render());
const guest = await import('./generate-guest-types.ts');
emit(guest.OUTPUT_PATH, await guest.render());
const types = await import('./generate-types.ts');
emit(types.TYPES_FILE, await types.renderTypes());
// Only now: the catalogue imports the contracts, whose generated files were just written.
const catalogue = await import('./catalogue.ts');
emit(catalogue.CATALOGUE_FILE, catalogue.renderCatalogue());
emit(catalogue.ERRORS_FILE, catalogue.renderErrors());

const lock = await import('./complete-lock.ts');
emit(lock.LOCK_FILE, lock.completeLock(lock.readLock()));

if (stale.length === 0) console.log('generated files: fresh');
else if (check) {
  console.error(`generated files are stale: ${stale.join(', ')}. Run \`npm run generate\` and commit the result.`);
  process.exitCode = 1;
} else console.log(`wrote ${stale.join(', ')}`);
