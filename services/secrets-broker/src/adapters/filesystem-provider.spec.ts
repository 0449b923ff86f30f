import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SourceTrouble } from '../core/secret-reading.ts';
import { conformsToSecretProvider } from '../ports/secret-provider.conformance.ts';
import { FilesystemProvider } from './filesystem-provider.ts';

const WAIT_MS = 5_000;

async function folder() {
  const root = await mkdtemp(path.join(tmpdir(), 'alga-files-'));
  const dir = path.join(root, 'secrets');
  await mkdir(dir);
  return { root, dir, close: () => rm(root, { recursive: true, force: true }) };
}

describe('the filesystem provider', () => {
  conformsToSecretProvider(async () => {
    const { dir, root, close } = await folder();
    return {
      provider: new FilesystemProvider(dir),
      reference: (name) => `file:${name}`,
      put: (name, value) => writeFile(path.join(dir, name), value),
      remove: (name) => rm(path.join(dir, name)),
      breakSource: () => rename(dir, path.join(root, 'gone')),
      close,
    };
  });

  let dir: string;
  let close: () => Promise<void>;
  const read = async (name: string) => {
    const reading = await new FilesystemProvider(dir).read(`file:${name}`, AbortSignal.timeout(WAIT_MS));
    return reading.outcome === 'found' ? reading.value.reveal() : reading.outcome;
  };
  const file = (name: string) => path.join(dir, name);

  beforeEach(async () => {
    ({ dir, close } = await folder());
  });
  afterEach(() => close());

  it.each([
    ['a trailing newline', 'value\n', 'value'],
    ['a Windows newline', 'value\r\n', 'value'],
    ['a byte order mark', '\uFEFFvalue', 'value'],
    ['two newlines, of which one is its own', 'value\n\n', 'value\n'],
    ['lines', '-----BEGIN\nAAA\n-----END\n', '-----BEGIN\nAAA\n-----END'],
  ])('takes a file with %s for what was meant', async (_, content, value) => {
    await writeFile(file('api_key'), content);
    await expect(read('api_key')).resolves.toBe(value);
  });

  it('is in trouble over anything but a regular file of text, and does not hang on a FIFO', async () => {
    await mkdir(file('a_folder'));
    execFileSync('mkfifo', [file('a_fifo')]);
    await writeFile(file('binary'), Buffer.from([0xff, 0xfe, 0x00]));
    for (const name of ['a_folder', 'a_fifo', 'binary']) await expect(read(name)).rejects.toBeInstanceOf(SourceTrouble);
  });

  it('follows no symbolic link: neither out of the folder, nor within it, nor to a device', async () => {
    await writeFile(path.join(dir, '..', 'outside'), 'not yours');
    await writeFile(file('inside'), 'not by this name');
    await symlink('../outside', file('out'));
    await symlink('inside', file('within'));
    await symlink('/dev/zero', file('device'));
    await symlink('nowhere', file('dangling'));
    for (const name of ['out', 'within', 'device', 'dangling']) {
      await expect(read(name)).rejects.toBeInstanceOf(SourceTrouble);
    }
  });

  it('reads a Kubernetes secret volume, and its next update', async () => {
    const publish = async (folderName: string, value: string) => {
      await mkdir(file(folderName));
      await writeFile(path.join(dir, folderName, 'api_key'), value);
      await symlink(folderName, file('..data_tmp'));
      await rename(file('..data_tmp'), file('..data'));
    };
    await publish('..2026_01_01_00_00_00.1', 'one');
    await symlink('..data/api_key', file('api_key'));
    await expect(read('api_key')).resolves.toBe('one');
    await publish('..2026_01_02_00_00_00.2', 'two');
    await expect(read('api_key')).resolves.toBe('two');
  });

  it('follows the link of a secret volume to no other folder, and no link inside of it', async () => {
    await symlink('..data/api_key', file('api_key'));
    await mkdir(path.join(dir, '..', 'elsewhere'));
    await writeFile(path.join(dir, '..', 'elsewhere', 'api_key'), 'not yours');
    await symlink('../elsewhere', file('..data'));
    await expect(read('api_key')).rejects.toBeInstanceOf(SourceTrouble);
    await rm(file('..data'));
    await mkdir(file('..2026'));
    await symlink('/etc/hostname', path.join(dir, '..2026', 'api_key'));
    await symlink('..2026', file('..data'));
    await expect(read('api_key')).rejects.toBeInstanceOf(SourceTrouble);
  });

  it('tells a file that was written again with the same content from the one before', async () => {
    const version = async () => {
      const reading = await new FilesystemProvider(dir).read('file:api_key', AbortSignal.timeout(WAIT_MS));
      return reading.outcome === 'found' ? reading.version : undefined;
    };
    await writeFile(file('api_key'), 'same');
    const before = await version();
    expect(await version()).toBe(before);
    await utimes(file('api_key'), 1, 1);
    expect(await version()).not.toBe(before);
  });
});
