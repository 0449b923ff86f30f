import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { zstdDecompressor } from './zstd-decompressor.ts';

const text = Buffer.from('some text that comes again, some text that comes again');
const packed = zstdCompressSync(text);

describe('decompression', () => {
  it('gives back what was packed', async () => {
    const result = await zstdDecompressor.decompress(packed, text.length);
    expect(result.ok && Buffer.from(result.bytes)).toEqual(text);
  });

  it('stops a bomb at the cap: 64 KB that unpack to 2 GiB', async () => {
    const before = process.memoryUsage().rss;
    // 32 frames of 64 MiB each, which one reader takes for one stream
    const bomb = Buffer.concat(Array<Buffer>(32).fill(zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))));
    expect(await zstdDecompressor.decompress(bomb, 1024 * 1024)).toEqual({
      ok: false,
      reason: 'unpacks to more than 1048576 bytes',
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 1024 * 1024);
  });

  it.each([0, 1, 4, packed.length - 1])('refuses what is left when %i bytes of it arrived', async (length) => {
    expect(await zstdDecompressor.decompress(packed.subarray(0, length), 1000)).toEqual({
      ok: false,
      reason: 'the compressed archive is cut off',
    });
  });

  it.each([
    ['text', Buffer.from('garbage')],
    ['a zero', Buffer.alloc(1)],
  ])('refuses %s behind the end', async (_, rest) => {
    expect(await zstdDecompressor.decompress(Buffer.concat([packed, rest]), 1000)).toMatchObject({ ok: false });
  });

  it('refuses other formats', async () => {
    expect(await zstdDecompressor.decompress(Buffer.from('PK\x03\x04 some zip file'), 1000)).toEqual({
      ok: false,
      reason: 'is not Zstandard, or is damaged',
    });
  });

  it('answers for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(packed.length - 1), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const mutant = Buffer.from(packed);
        mutant[at] = byte;
        const result = await zstdDecompressor.decompress(mutant, 1000);
        expect(result.ok ? result.bytes.byteLength <= 1000 : result.reason.length > 0).toBe(true);
      }),
    );
  });
});
