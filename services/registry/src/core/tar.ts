// A reader for the one form of tar that a bundle may have: ustar headers, regular files, nothing else. Why not a library:
// those resolve extension headers (pax, GNU long names) before their caller has a say, and with tar-stream 3.2 one pax
// global header of 4 MB followed by 20 small ones held the thread for 11 s; a few KB of zstd hold ten thousand.
import { type Refusal, refuse } from './refusal.ts';

type ReadTar = { readonly ok: true; readonly files: ReadonlyMap<string, Uint8Array> } | Refusal;

const BLOCK = 512;
/** The end of an archive is marked by at least two blocks of zeros. */
const END_BYTES = 2 * BLOCK;
/** Characters of a hostile name that are shown back. */
const SHOWN_CHARS = 64;

const PLAIN_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;
const OCTAL = /^ *([0-7]{1,11})[ \0]*$/;

const KINDS: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a character device',
  '4': 'a block device',
  '5': 'a folder',
  '6': 'a FIFO',
  g: 'an extension header',
  x: 'an extension header',
  L: 'an extension header',
  K: 'an extension header',
  S: 'a sparse file',
};

/**
 * The files of an archive, as views of it: nothing is copied, nothing is written anywhere. What is not a regular file with
 * one of the `allowed` names is refused, never skipped. At most as many files as there are allowed names.
 */
export function readTar(archive: Uint8Array, allowed: readonly string[]): ReadTar {
  const data = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const files = new Map<string, Uint8Array>();
  let offset = 0;
  for (;;) {
    if (offset + BLOCK > data.length) return bad('/', 'the archive ends without its end marker');
    const header = data.subarray(offset, offset + BLOCK);
    if (isZero(header)) return endAt(data, offset, files);
    const entry = readHeader(header);
    if (!entry.ok) return entry;
    const { name, size } = entry;
    if (!allowed.includes(name)) return bad(name, `is not part of a bundle, which holds ${allowed.join(' and ')}`);
    if (files.has(name)) return bad(name, 'is there twice');
    const start = offset + BLOCK;
    if (start + size > data.length) {
      return bad(name, `says that it has ${size} bytes, but the archive ends after ${data.length - start}`);
    }
    files.set(name, data.subarray(start, start + size));
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

type Header = { readonly ok: true; readonly name: string; readonly size: number } | Refusal;

function readHeader(header: Buffer): Header {
  if (numberAt(header, 148, 8) !== checksum(header)) return bad('/', 'a header of the archive is damaged');
  const magic = header.toString('latin1', 257, 265);
  if (magic !== 'ustar\x0000' && magic !== 'ustar  \x00') return bad('/', 'the archive is not in ustar format');
  const name = textAt(header, 0, 100);
  const shown = name.replace(/[^\x20-\x7e]/g, '?').slice(0, SHOWN_CHARS) || '/';
  const type = String.fromCharCode(header[156] ?? 0);
  if (type !== '0' && type !== '\0') return bad(shown, `is ${KINDS[type] ?? 'of an unknown kind'}, not a regular file`);
  if (!PLAIN_NAME.test(name) || header[345] !== 0) return bad(shown, 'is not a plain file name: no folders, no ".."');
  if (header[157] !== 0) return bad(shown, 'is a link, not a regular file');
  const size = numberAt(header, 124, 12);
  if (size === undefined) return bad(shown, 'has a size that is not an octal number');
  return { ok: true, name, size };
}

function endAt(data: Buffer, offset: number, files: ReadonlyMap<string, Uint8Array>): ReadTar {
  const rest = data.subarray(offset);
  if (rest.length < END_BYTES) return bad('/', 'the archive ends without its end marker');
  return isZero(rest) ? { ok: true, files } : bad('/', 'there are bytes after the end of the archive');
}

// Comparing the bytes with themselves, shifted by one, is a memcmp: the end marker may be 96 MiB long.
const isZero = (bytes: Buffer): boolean => bytes[0] === 0 && bytes.subarray(1).equals(bytes.subarray(0, -1));

function textAt(header: Buffer, offset: number, length: number): string {
  const field = header.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}

// Strict: other readers stop at the first odd character, and two readers that disagree about a size see two archives.
function numberAt(header: Buffer, offset: number, length: number): number | undefined {
  const digits = OCTAL.exec(header.toString('latin1', offset, offset + length))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** The sum of all bytes, with the checksum field itself counted as spaces. */
function checksum(header: Buffer): number {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) {
    if (index < 148 || index >= 156) sum += header[index] ?? 0;
  }
  return sum;
}

const bad = (field: string, reason: string): Refusal => refuse('bundle_invalid', field, reason);
