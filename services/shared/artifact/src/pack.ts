import { isPlainName, MAX_FILES, MAX_TOTAL_BYTES } from './plain-name.ts';

type Unpacked =
  | { readonly ok: true; readonly files: Map<string, Uint8Array> }
  | { readonly ok: false; readonly reason: string };

/** Names the format and its version, so that another blob in the store is refused by its first bytes. */
const MAGIC = Buffer.from('ALGAPACK1', 'latin1');
const HEADER_BYTES = MAGIC.length + 4;

/**
 * One blob for the bundle store: magic, u32 count, then per file u8 name length, name, u32 size, bytes (little endian).
 * Files are ordered by name, so that equal artifacts give equal blobs.
 * @throws RangeError on a file set that {@link unpackFiles} would refuse: that is a mistake of the caller.
 */
export function packFiles(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const names = [...files.keys()].sort();
  if (names.length === 0 || names.length > MAX_FILES) throw new RangeError(`an artifact has 1 to ${MAX_FILES} files`);
  const parts: Uint8Array[] = [MAGIC, u32(names.length)];
  let total = 0;
  for (const name of names) {
    const bytes = files.get(name) ?? new Uint8Array();
    total += bytes.byteLength;
    if (!isPlainName(name)) throw new RangeError('a file name is not plain');
    if (total > MAX_TOTAL_BYTES) throw new RangeError(`an artifact has at most ${MAX_TOTAL_BYTES} bytes`);
    parts.push(Uint8Array.of(name.length), Buffer.from(name, 'latin1'), u32(bytes.byteLength), bytes);
  }
  return Buffer.concat(parts);
}

/** Reads what {@link packFiles} wrote and nothing else. The files are views of `blob`: no byte is copied. */
export function unpackFiles(blob: Uint8Array): Unpacked {
  const data = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  if (data.length < HEADER_BYTES || !data.subarray(0, MAGIC.length).equals(MAGIC)) return refuse('not an artifact');
  const count = data.readUInt32LE(MAGIC.length);
  if (count === 0 || count > MAX_FILES) return refuse(`the file count is not 1 to ${MAX_FILES}`);
  const files = new Map<string, Uint8Array>();
  let offset = HEADER_BYTES;
  let total = 0;
  let previous = '';
  for (let index = 0; index < count; index++) {
    const nameLength = data[offset] ?? 0;
    const sizeAt = offset + 1 + nameLength;
    if (sizeAt + 4 > data.length) return refuse('truncated');
    const name = data.toString('latin1', offset + 1, sizeAt);
    const size = data.readUInt32LE(sizeAt);
    const start = sizeAt + 4;
    total += size;
    if (!isPlainName(name)) return refuse('a file name is not plain');
    // Ascending order is the writer's, and it makes a doubled name impossible.
    if (name <= previous) return refuse('file names are not in ascending order');
    if (total > MAX_TOTAL_BYTES) return refuse(`more than ${MAX_TOTAL_BYTES} bytes`);
    if (start + size > data.length) return refuse('truncated');
    files.set(name, data.subarray(start, start + size));
    previous = name;
    offset = start + size;
  }
  if (offset !== data.length) return refuse('bytes after the last file');
  return { ok: true, files };
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function refuse(reason: string): Unpacked {
  return { ok: false, reason };
}
