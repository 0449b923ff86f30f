import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderArtifactCache, type PackedArtifact } from './folder-artifact-cache.ts';

const MIB = 1024 * 1024;
/** Any user but root, for whom no folder is read-only. */
const NOBODY = 65_534;

let root: string;
let folder: string;
let nowMs: number;
let faults: Error[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'alga-cache-'));
  folder = join(root, 'deep', 'cache');
  nowMs = Date.parse('2026-11-24T12:00:00Z');
  faults = [];
});

afterEach(() => rm(root, { recursive: true, force: true }));

const open = (maxBytes = 64 * MIB, at = folder): FolderArtifactCache =>
  new FolderArtifactCache({ folder: at, maxBytes, nowMs: () => nowMs++, onFault: (error) => faults.push(error) });

const hash = (digit: string): string => `sha256:${digit.repeat(64)}`;
const fileOf = (contentHash: string): string => join(folder, `${contentHash.slice('sha256:'.length)}.artifact`);
const artifact = (fill = 1, bytes = 1_000): PackedArtifact => ({
  signature: `header.payload.${fill}`,
  blob: new Uint8Array(bytes).fill(fill),
});

/** As given, whatever kind of byte array carries it. */
const shown = (found: PackedArtifact | undefined) =>
  found === undefined ? undefined : { signature: found.signature, blob: Uint8Array.from(found.blob) };

async function bytesOnDisk(): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

describe('the cache of artifacts', () => {
  it('gives back what was put in, to another runner on the same folder and after a restart too', async () => {
    await open().put(hash('a'), artifact(1));
    await open().put(hash('b'), artifact(2, 0));
    expect(shown(await open().get(hash('a')))).toEqual(artifact(1));
    expect(shown(await open().get(hash('b')))).toEqual(artifact(2, 0));
    expect(await open().get(hash('c'))).toBeUndefined();
  });

  it('keeps folder and files to its own user', async () => {
    await open().put(hash('a'), artifact());
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(fileOf(hash('a')))).mode & 0o777).toBe(0o600);
  });

  it('forgets what it is told to forget', async () => {
    const cache = open();
    await cache.put(hash('a'), artifact());
    await cache.remove(hash('a'));
    await cache.remove(hash('a'));
    expect(await cache.get(hash('a'))).toBeUndefined();
    expect(faults).toEqual([]);
  });

  it.each(['', 'a'.repeat(64), 'sha256:../../x', `sha256:${'A'.repeat(64)}`])(
    'has no file for the name %j',
    async (name) => {
      const cache = open();
      await cache.put(name, artifact());
      await cache.remove(name);
      expect(await cache.get(name)).toBeUndefined();
      expect(await readdir(root)).toEqual([]);
    },
  );
});

describe('the bound', () => {
  it('is kept after every put, and the least recently used goes first', async () => {
    const cache = open(3_500);
    for (const digit of ['a', 'b', 'c']) await cache.put(hash(digit), artifact(1));
    await cache.get(hash('a'));
    await cache.put(hash('d'), artifact(2));
    expect(await cache.get(hash('b'))).toBeUndefined();
    await cache.put(hash('e'), artifact(3, 2_000));
    // `a` was read and `c` was not.
    expect((await readdir(folder)).sort()).toEqual([`${'d'.repeat(64)}.artifact`, `${'e'.repeat(64)}.artifact`]);
    expect(await bytesOnDisk()).toBeLessThanOrEqual(3_500);
  });

  it('counts an artifact that is put again once', async () => {
    const cache = open(2_500);
    await cache.put(hash('a'), artifact(1));
    for (let n = 0; n < 5; n++) await cache.put(hash('b'), artifact(n));
    expect(shown(await cache.get(hash('a')))).toEqual(artifact(1));
    expect(shown(await cache.get(hash('b')))).toEqual(artifact(4));
  });

  it('leaves what is larger than all of it outside, and everything else where it is', async () => {
    const cache = open(2_500);
    await cache.put(hash('a'), artifact());
    await cache.put(hash('b'), artifact(2, 2_500));
    expect(await readdir(folder)).toEqual([`${'a'.repeat(64)}.artifact`]);
  });

  it('is of bytes that the disk has, whichever runner wrote them', async () => {
    const [one, other] = [open(3_500), open(3_500)];
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((digit, n) => (n % 2 ? one : other).put(hash(digit), artifact(n))),
    );
    expect(await bytesOnDisk()).toBeLessThanOrEqual(3_500);
    expect((await readdir(folder)).length).toBeGreaterThan(0);
    expect(faults).toEqual([]);
  });

  it('lets nothing be read that it could not have written', async () => {
    await open().put(hash('a'), artifact(1, MIB));
    expect(await open(1_000).get(hash('a'))).toBeUndefined();
  });
});

describe('runners that share a folder', () => {
  it('may put the same artifact at once: whoever reads finds it whole', async () => {
    const caches = [open(), open(), open()];
    await Promise.all(caches.map((cache) => cache.put(hash('a'), artifact(1, MIB))));
    const reads: Promise<PackedArtifact | undefined>[] = [];
    const puts = caches.map((cache) => cache.put(hash('a'), artifact(1, MIB)));
    for (let n = 0; n < 50; n++) reads.push(open().get(hash('a')));
    await Promise.all(puts);
    const whole = (await Promise.all(reads)).filter((found) =>
      Buffer.from(artifact(1, MIB).blob).equals(found?.blob ?? Buffer.alloc(0)),
    );
    expect(whole).toHaveLength(50);
    expect(await readdir(folder)).toEqual([`${'a'.repeat(64)}.artifact`]);
    expect(faults).toEqual([]);
  });

  it('clear away what one that died has left unfinished, and nothing that is being written', async () => {
    await mkdir(folder, { recursive: true });
    const unfinished = (digit: string) => `${digit.repeat(64)}.00000000-0000-4000-8000-000000000000.unfinished`;
    await writeFile(join(folder, unfinished('a')), 'x');
    nowMs = Date.now() + 11 * 60_000;
    await writeFile(join(folder, 'notes.txt'), 'of somebody else');
    const cache = open();
    await cache.put(hash('c'), artifact());
    expect((await readdir(folder)).sort()).toEqual([`${'c'.repeat(64)}.artifact`, 'notes.txt']);

    nowMs = Date.now();
    await writeFile(join(folder, unfinished('b')), 'x');
    await open(1_100).put(hash('d'), artifact());
    expect((await readdir(folder)).sort()).toEqual([unfinished('b'), `${'d'.repeat(64)}.artifact`, 'notes.txt']);
  });
});

describe('a file that is not an artifact', () => {
  it.each<[string, (path: string) => Promise<unknown>]>([
    ['of another format', (path) => writeFile(path, 'ALGAPACK1 is something else')],
    ['empty', (path) => writeFile(path, '')],
    ['cut short in the header', (path) => truncate(path, 12)],
    ['cut short in the signature', (path) => truncate(path, 20)],
    [
      'a link',
      async (path) => {
        await rm(path);
        await symlink('/etc/hostname', path);
      },
    ],
    [
      'a folder',
      async (path) => {
        await rm(path);
        await mkdir(join(path, 'deeper'), { recursive: true });
      },
    ],
  ])('(%s) is absent and removed', async (_kind, spoil) => {
    const cache = open();
    await cache.put(hash('a'), artifact());
    await spoil(fileOf(hash('a')));
    expect(await cache.get(hash('a'))).toBeUndefined();
    expect(await readdir(folder)).toEqual([]);
    await cache.put(hash('a'), artifact());
    expect(shown(await cache.get(hash('a')))).toEqual(artifact());
  });
});

describe('a fault of the disk', () => {
  it('is told once, and every call is a miss', async () => {
    await writeFile(join(root, 'file'), '');
    const cache = open(MIB, join(root, 'file', 'cache'));
    for (const digit of ['a', 'b']) {
      await cache.put(hash(digit), artifact());
      expect(await cache.get(hash(digit))).toBeUndefined();
      await cache.remove(hash(digit));
    }
    expect(faults).toHaveLength(1);
  });

  it('that lets the folder be read alone leaves what is in it of use', async () => {
    await open().put(hash('a'), artifact());
    await chmod(root, 0o755);
    await chmod(join(root, 'deep'), 0o755);
    await chmod(fileOf(hash('a')), 0o644);
    await chmod(folder, 0o555);
    const cache = open();
    await asOrdinaryUser(async () => {
      await cache.put(hash('b'), artifact());
      await cache.remove(hash('a'));
      expect(shown(await cache.get(hash('a')))).toEqual(artifact());
      expect(await cache.get(hash('b'))).toBeUndefined();
    });
    await chmod(folder, 0o755);
    expect(await readdir(folder)).toEqual([`${'a'.repeat(64)}.artifact`]);
    expect(faults).toHaveLength(1);
  });

  it('that lets a file be read by somebody else alone is a miss', async () => {
    await open().put(hash('a'), artifact());
    await chmod(root, 0o755);
    await chmod(join(root, 'deep'), 0o755);
    await chmod(folder, 0o555);
    await chmod(fileOf(hash('a')), 0o000);
    const cache = open();
    await asOrdinaryUser(async () => expect(await cache.get(hash('a'))).toBeUndefined());
    await chmod(folder, 0o755);
    expect(faults).toHaveLength(1);
    expect((await readFile(fileOf(hash('a')))).byteLength).toBeGreaterThan(1_000);
  });
});

async function asOrdinaryUser(work: () => Promise<void>): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(NOBODY);
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
