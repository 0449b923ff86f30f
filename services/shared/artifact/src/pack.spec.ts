import fc from 'fast-check';
import { packFiles, unpackFiles } from './pack.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const files = new Map([
  ['component.js', bytes('glue')],
  ['component.core.wasm', bytes('')],
  ['component.core2.wasm', bytes('core')],
]);

describe('packFiles and unpackFiles', () => {
  it('give back what went in', () => {
    const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
    const entries = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 64 })), {
      minLength: 1,
      maxLength: 64,
      selector: ([key]) => key,
    });
    fc.assert(
      fc.property(entries, (list) => {
        const unpacked = unpackFiles(packFiles(new Map(list)));
        if (!unpacked.ok) throw new Error(unpacked.reason);
        expect([...unpacked.files].map(([key, value]) => [key, [...value]]).sort()).toEqual(
          list.map(([key, value]) => [key, [...value]]).sort(),
        );
      }),
    );
  });

  it('give equal blobs for equal artifacts, whatever the order', () => {
    expect(packFiles(new Map([...files].reverse()))).toEqual(packFiles(files));
  });

  it('refuse every truncation and every byte too many', () => {
    const blob = packFiles(files);
    for (let length = 0; length < blob.length; length++) {
      expect(unpackFiles(blob.subarray(0, length))).toMatchObject({ ok: false });
    }
    expect(unpackFiles(Uint8Array.from([...blob, 0]))).toEqual({ ok: false, reason: 'bytes after the last file' });
  });

  it.each([
    ['a path', 'a/b'],
    ['a parent', '..'],
    ['a hidden file', '.npmrc'],
    ['nothing', ''],
    ['a NUL', 'a\0'],
  ])('refuse a name that is %s', (_kind, name) => {
    expect(() => packFiles(new Map([[name, bytes('x')]]))).toThrow(RangeError);
    const blob = Buffer.concat([
      Buffer.from('ALGAPACK1\x01\0\0\0'),
      Buffer.from([name.length]),
      Buffer.from(name),
      Buffer.alloc(4),
    ]);
    expect(unpackFiles(blob)).toMatchObject({ ok: false });
  });

  it('refuse a doubled name, a lying count and a lying size', () => {
    const one = Buffer.from('\x01a\0\0\0\0', 'latin1');
    const head = (count: number) => Buffer.concat([Buffer.from('ALGAPACK1'), Uint8Array.of(count, 0, 0, 0)]);
    expect(unpackFiles(Buffer.concat([head(1), one]))).toMatchObject({ ok: true });
    expect(unpackFiles(Buffer.concat([head(2), one, one]))).toMatchObject({ ok: false });
    expect(unpackFiles(Buffer.concat([head(65), one]))).toMatchObject({ ok: false });
    expect(unpackFiles(Buffer.concat([head(0)]))).toMatchObject({ ok: false });
    expect(unpackFiles(Buffer.concat([head(1), Buffer.from('\x01a\xff\xff\xff\xff', 'latin1')]))).toMatchObject({
      ok: false,
    });
  });

  it('never throw on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        unpackFiles(tail);
        unpackFiles(Buffer.concat([Buffer.from('ALGAPACK1'), tail]));
      }),
    );
  });
});
