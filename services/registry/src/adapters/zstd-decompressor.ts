import { zstdDecompress } from 'node:zlib';
import type { Decompressed, Decompressor } from '../ports/decompressor.ts';

/** Few turns through the thread pool for a component of the usual 12 MB. */
const CHUNK_BYTES = 1024 * 1024;

interface WithInfo {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

/** Zstandard off the main thread. Node stops at the cap, refuses truncation, and reports how much input it took. */
export const zstdDecompressor: Decompressor = {
  decompress(compressed, maxBytes) {
    return new Promise<Decompressed>((resolve) => {
      const options = { maxOutputLength: maxBytes, chunkSize: CHUNK_BYTES, info: true };
      zstdDecompress(compressed, options, (error, result) => {
        if (error !== null) return resolve({ ok: false, reason: reasonOf(error, maxBytes) });
        const { buffer, engine } = result as unknown as WithInfo;
        // Node ignores what follows the last frame; a second reader might not.
        if (engine.bytesWritten !== compressed.byteLength) {
          return resolve({ ok: false, reason: 'there are bytes after the end of the compressed archive' });
        }
        resolve({ ok: true, bytes: buffer });
      });
    });
  },
};

function reasonOf(error: NodeJS.ErrnoException, maxBytes: number): string {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') return `unpacks to more than ${maxBytes} bytes`;
  if (error.code === 'Z_BUF_ERROR') return 'the compressed archive is cut off';
  return 'is not Zstandard, or is damaged';
}
