import { readFileSync } from 'node:fs';

// `npm ci` refuses a lock file that lacks an optional dependency, also one for another platform. A registry mirror that does
// not carry every platform's package makes npm leave it out. So the entries are written from what their parents ask for.

export const LOCK_FILE = new URL('../package-lock.json', import.meta.url);

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'win32', 'openharmony', 'sunos', 'aix', 'netbsd', 'openbsd'];
const PROCESSORS = [
  'x64',
  'arm64',
  'arm',
  'ia32',
  'ppc64',
  'ppc64le',
  's390x',
  'riscv64',
  'loong64',
  'mips64el',
  'wasm32',
];

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<Record<string, Entry>>;
}

/** The lock file with an entry for each optional dependency it names. Text in, text out; unchanged when nothing is missing. */
export function completeLock(text: string): string {
  const lock = JSON.parse(text) as Lock;
  const missing: Record<string, Entry> = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isResolved(lock, path, name))
        missing[`node_modules/${name}`] = platformEntry(name, version, entry.dev === true);
    }
  }
  if (Object.keys(missing).length === 0) return text;
  const packages = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return `${JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)}\n`;
}

export const readLock = (): string => readFileSync(LOCK_FILE, 'utf8');

/** Node's own search: beside the package, then in each folder above it. */
function isResolved(lock: Lock, from: string, name: string): boolean {
  const folders = from
    .split('/node_modules/')
    .map((_, depth, parts) => parts.slice(0, depth + 1).join('/node_modules/'));
  return ['', ...folders].some(
    (folder) => lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined,
  );
}

/** Enough for npm to know the package and to skip it on other platforms. Its name says which platform it is for. */
function platformEntry(name: string, range: string, dev: boolean): Entry & Record<string, unknown> {
  const words = name.replace(/^@[^/]+\//, '').split('-');
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  const os = words.filter((word) => SYSTEMS.includes(word));
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : [];
  return {
    version: range.replace(/^[\^~]/, ''),
    ...(cpu.length > 0 ? { cpu } : {}),
    ...(dev ? { dev } : {}),
    ...(libc.length > 0 ? { libc } : {}),
    optional: true,
    ...(os.length > 0 ? { os } : {}),
  };
}
