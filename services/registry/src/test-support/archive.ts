import { pack } from 'tar-stream';

interface RawHeader {
  readonly name?: string;
  /** Written as is into the size field; the length of `content` unless given. */
  readonly size?: string;
  readonly type?: string;
  readonly linkName?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly content?: Uint8Array;
  readonly checksum?: string;
}

/** One entry, header and padded content, with any field as wrong as the test needs it. */
export function rawEntry(entry: RawHeader): Buffer {
  const content = entry.content ?? new Uint8Array();
  const header = Buffer.alloc(512);
  header.write(entry.name ?? 'manifest.json', 0, 100, 'latin1');
  header.write('000644 \x000000000 \x000000000 \x00', 100, 'latin1');
  header.write(entry.size ?? `${content.byteLength.toString(8).padStart(11, '0')} `, 124, 12, 'latin1');
  header.write('00000000000 ', 136, 'latin1');
  header.write(entry.type ?? '0', 156, 1, 'latin1');
  header.write(entry.linkName ?? '', 157, 100, 'latin1');
  header.write(entry.magic ?? 'ustar\x0000', 257, 8, 'latin1');
  header.write(entry.prefix ?? '', 345, 155, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(entry.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.byteLength % 512)) % 512)]);
}

export const END = Buffer.alloc(1024);

/** An archive as ordinary tools write it. */
export async function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Promise<Buffer> {
  const archive = pack();
  const chunks: Buffer[] = [];
  const collected = (async () => {
    for await (const chunk of archive) chunks.push(chunk as Buffer);
  })();
  for (const [name, content] of Object.entries(files)) {
    archive.entry({ name, mtime: new Date(0) }, Buffer.from(content as Uint8Array));
  }
  archive.finalize();
  await collected;
  return Buffer.concat(chunks);
}
