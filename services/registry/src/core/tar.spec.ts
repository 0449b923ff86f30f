import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { END, rawEntry, tarOf } from '../test-support/archive.ts';
import { readTar } from './tar.ts';

const NAMES = ['manifest.json', 'component.wasm'];
const content = Buffer.from('{"some":"json"}');

const refusalOf = (archive: Uint8Array) => {
  const result = readTar(archive, NAMES);
  if (result.ok) return 'accepted';
  const [first] = result.errors;
  return `${result.code}: ${first?.field} ${first?.reason}`;
};

describe('an archive that is accepted', () => {
  it('gives its files as they were packed', async () => {
    const result = readTar(await tarOf({ 'manifest.json': content, 'component.wasm': Buffer.alloc(5000, 7) }), NAMES);
    if (!result.ok) throw new Error(JSON.stringify(result));
    expect([...result.files.keys()]).toEqual(NAMES);
    expect(Buffer.from(result.files.get('manifest.json') ?? [])).toEqual(content);
    expect(Buffer.from(result.files.get('component.wasm') ?? [])).toEqual(Buffer.alloc(5000, 7));
  });

  it('may come from GNU tar', () => {
    const folder = mkdtempSync(join(tmpdir(), 'alga-tar-'));
    try {
      for (const name of NAMES) writeFileSync(join(folder, name), content);
      const archive = execFileSync('tar', ['-C', folder, '-cf', '-', ...NAMES]);
      expect(readTar(archive, NAMES)).toMatchObject({ ok: true });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('may hold empty files', () => {
    expect(readTar(Buffer.concat([rawEntry({}), END]), NAMES)).toMatchObject({ ok: true });
  });
});

describe('an archive that is refused', () => {
  const kinds: [string, string][] = [
    ['1', 'a hard link'],
    ['2', 'a symbolic link'],
    ['3', 'a character device'],
    ['4', 'a block device'],
    ['5', 'a folder'],
    ['6', 'a FIFO'],
    ['7', 'of an unknown kind'],
    ['x', 'an extension header'],
    ['g', 'an extension header'],
    ['L', 'an extension header'],
    ['S', 'a sparse file'],
    ['?', 'of an unknown kind'],
  ];
  it.each(kinds)('entries of type %s: %s', (type, words) => {
    const archive = Buffer.concat([rawEntry({ type, content }), END]);
    expect(refusalOf(archive)).toBe(`bundle_invalid: manifest.json is ${words}, not a regular file`);
  });

  it.each([
    '../manifest.json',
    '/manifest.json',
    'a/manifest.json',
    './manifest.json',
    '..',
    '.',
    'a\\b',
    'a\nb',
    ' a',
    '-rf',
    'é',
  ])('the name %j', (name) => {
    expect(refusalOf(Buffer.concat([rawEntry({ name, content }), END]))).toContain('is not a plain file name');
  });

  it('a folder in the prefix field', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ prefix: '../../etc' }), END]))).toContain('is not a plain file name');
  });

  it('a regular file with a link target', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ linkName: '/etc/passwd' }), END]))).toContain('is a link');
  });

  it('a file that is not part of a bundle', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ name: 'readme.md' }), END]))).toBe(
      'bundle_invalid: readme.md is not part of a bundle, which holds manifest.json and component.wasm',
    );
  });

  it('a million entries, at the first that has no place', () => {
    const entry = rawEntry({});
    expect(refusalOf(Buffer.concat([...Array<Buffer>(1000).fill(entry), END]))).toContain(
      'manifest.json is there twice',
    );
  });

  it('a name that is there twice', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ content }), rawEntry({ content }), END]))).toContain('is there twice');
  });

  it('a size over what follows', () => {
    const archive = Buffer.concat([rawEntry({ size: '77777777777 ', content }), END]);
    expect(refusalOf(archive)).toContain('says that it has 8589934591 bytes, but the archive ends after 1536');
  });

  it.each([
    '-0000000001 ',
    '0x000000010 ',
    '12x45678901 ',
    '           ',
    '\x80\0\0\0\0\0\0\0\0\0\0\x0f',
    '9'.repeat(12),
  ])('the size field %j', (size) => {
    expect(refusalOf(Buffer.concat([rawEntry({ size, content }), END]))).toContain(
      'has a size that is not an octal number',
    );
  });

  it('a size below what follows, which makes a header of the content', () => {
    const archive = Buffer.concat([rawEntry({ size: '00000000000 ', content }), END]);
    expect(refusalOf(archive)).toContain('header of the archive is damaged');
  });

  it('damaged headers', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ checksum: '000001\0 ' }), END]))).toContain(
      'header of the archive is damaged',
    );
  });

  it('another format', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ magic: '\0\0\0\0\0\0\0\0' }), END]))).toContain('not in ustar format');
  });

  it('a second archive behind the end of the first', async () => {
    const first = await tarOf({ 'manifest.json': content });
    expect(refusalOf(Buffer.concat([first, await tarOf({ 'component.wasm': content })]))).toContain(
      'bytes after the end',
    );
  });

  it.each([0, 1, 511, 512, 513, 1024])('what is left when %i bytes of it arrived', (length) => {
    const archive = Buffer.concat([rawEntry({ content }), END]);
    expect(refusalOf(archive.subarray(0, length))).toContain('bundle_invalid');
  });

  it('an archive without its end marker', () => {
    expect(refusalOf(rawEntry({ content }))).toContain('ends without its end marker');
    expect(refusalOf(Buffer.concat([rawEntry({ content }), END.subarray(0, 512)]))).toContain(
      'ends without its end marker',
    );
  });

  it('hostile names without repeating their control characters', () => {
    expect(refusalOf(Buffer.concat([rawEntry({ name: '\x1b[2J\r\nevil' }), END]))).toContain('?[2J??evil');
  });
});

describe('any bytes at all', () => {
  it('are read or refused, and whatever is read is an allowed name and a piece of the archive', async () => {
    const whole = await tarOf({ 'manifest.json': content, 'component.wasm': Buffer.alloc(700, 1) });
    const mutation = fc.record({
      at: fc.nat(whole.length - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
      keep: fc.nat(whole.length),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), fc.boolean(), (mutations, resum) => {
        let mutant = Buffer.from(whole);
        for (const { at, bytes, keep } of mutations) {
          mutant.set(bytes.subarray(0, mutant.length - Math.min(at, mutant.length)), Math.min(at, mutant.length));
          if (keep % 7 === 0) mutant = mutant.subarray(0, keep);
        }
        if (resum) repairChecksum(mutant);
        const result = readTar(mutant, NAMES);
        if (!result.ok) {
          expect(result.code).toBe('bundle_invalid');
          expect(result.errors).toHaveLength(1);
          return;
        }
        for (const [name, file] of result.files) {
          expect(NAMES).toContain(name);
          expect(file.buffer).toBe(mutant.buffer);
          expect(file.byteOffset + file.byteLength).toBeLessThanOrEqual(mutant.byteOffset + mutant.byteLength);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('never hold the reader for long', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => {
        expect(readTar(bytes, NAMES).ok).toBe(false);
      }),
    );
  });
});

// So that mutants of other header fields get past the checksum.
function repairChecksum(archive: Buffer): void {
  if (archive.length < 512) return;
  archive.fill(' ', 148, 156);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
}
