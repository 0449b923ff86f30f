import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../sandbox/', import.meta.url));
const RELATIVE_SPECIFIER = /(['"])(\.\/[a-z-]+)\.ts\1/g;
const WRITABLE_BY_OTHERS = 0o022;

/** What sandboxes run. */
export interface SandboxProgram {
  readonly main: string;
  /** All that a sandbox may read, and only until it has started. */
  readonly folder: string;
}

/**
 * The sandbox's sources with their types stripped, once for all sandboxes: Node's own stripping costs each process 45 ms of the
 * 95 that it takes to start (measured). The folder is named after its content, so that runners share it and one that was killed
 * leaves nothing new behind. It is readable by any user, since a sandbox may run as another one.
 */
export function prepareSandboxProgram(parent: string = tmpdir()): SandboxProgram {
  const files = new Map(
    readdirSync(SOURCES)
      .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.endsWith('.spec.ts'))
      .map((file) => [file, readFileSync(join(SOURCES, file), 'utf8')]),
  );
  const hash = createHash('sha256')
    .update(JSON.stringify([process.version, ...files]))
    .digest('hex');
  const folder = join(parent, `alga-sandbox-${hash.slice(0, 32)}`);
  return programIn(isOurs(folder) ? folder : publish(writeProgram(files, parent), folder));
}

function writeProgram(files: ReadonlyMap<string, string>, parent: string): string {
  const folder = mkdtempSync(join(parent, 'alga-sandbox-'));
  for (const [file, source] of files) {
    const stripped = stripTypeScriptTypes(source).replace(RELATIVE_SPECIFIER, '$1$2.mjs$1');
    writeFileSync(join(folder, file.replace(/\.ts$/, '.mjs')), stripped, { mode: 0o444 });
  }
  chmodSync(folder, 0o755);
  return folder;
}

// Whole or not at all: another runner sees the finished folder only. Where the name is taken by somebody whom we do not
// trust, the folder keeps the name that nobody could know.
function publish(written: string, folder: string): string {
  try {
    renameSync(written, folder);
    return folder;
  } catch {
    if (!isOurs(folder)) return written;
    rmSync(written, { recursive: true, force: true });
    return folder;
  }
}

function isOurs(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & WRITABLE_BY_OTHERS) === 0;
}

const programIn = (folder: string): SandboxProgram => ({ folder, main: join(folder, 'main.mjs') });
