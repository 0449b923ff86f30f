import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { COMPONENT_MAGIC, manifest, scratchDir } from '../spec/scratch.ts';
import { packBundle } from './pack-bundle.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((remove) => remove()));
});

// A ready-made component spares these tests the build; the integration spec has one.
async function pack(
  component: Uint8Array | undefined,
  parts: Readonly<Record<string, unknown>> = {},
  files: Readonly<Record<string, string | Uint8Array>> = {},
) {
  const { dir, remove } = await scratchDir({
    'manifest.json': manifest({ engine: 'native', ...parts }),
    ...(component !== undefined && { 'dist/component.wasm': component }),
    ...files,
  });
  cleanups.push(remove);
  return packBundle(dir);
}

async function entriesOf(path: string) {
  const tar = extract();
  tar.end(zstdDecompressSync(await readFile(path)));
  const entries: {
    name: string;
    content: Buffer;
    mode: number | undefined;
    owner: unknown[];
    mtime: number | undefined;
  }[] = [];
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    const { name, mode, uid, gid, mtime } = entry.header;
    entries.push({ name, content: Buffer.concat(chunks), mode, owner: [uid, gid], mtime: mtime?.getTime() });
  }
  return entries;
}

describe('packBundle', () => {
  it('packs manifest.json, then component.wasm, with nothing of the machine or the time', async () => {
    const outcome = await pack(COMPONENT_MAGIC);
    if (!outcome.ok) throw new Error(outcome.problem.message);
    const plain = { mode: 0o644, owner: [0, 0], mtime: 0 };
    expect(await entriesOf(outcome.value.path)).toEqual([
      { name: 'manifest.json', content: Buffer.from(manifest({ engine: 'native' })), ...plain },
      { name: 'component.wasm', content: Buffer.from(COMPONENT_MAGIC), ...plain },
    ]);
    expect(outcome.value).toMatchObject({ extensionId: 'probe', version: '1.2.3' });
    expect(outcome.value.component.contentHash).toBe(
      `sha256:${createHash('sha256').update(COMPONENT_MAGIC).digest('hex')}`,
    );
  });

  it('gives the same bytes for the same manifest and component, and others for another version', async () => {
    const [one, two, other] = await Promise.all([
      pack(COMPONENT_MAGIC),
      pack(COMPONENT_MAGIC),
      pack(COMPONENT_MAGIC, { version: '1.2.4' }),
    ]);
    if (!one.ok || !two.ok || !other.ok) throw new Error('not packed');
    const [first, second, third] = await Promise.all([one, two, other].map(({ value }) => readFile(value.path)));
    expect(first?.equals(second ?? Buffer.alloc(0))).toBe(true);
    expect(first?.equals(third ?? Buffer.alloc(0))).toBe(false);
  });

  it.each([
    ['there is none', undefined],
    ['it is empty', new Uint8Array()],
    ['it is a core module', Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)],
  ])('refuses a ready-made component where %s', async (_, component) => {
    expect(await pack(component)).toMatchObject({ ok: false, problem: { code: 'component_invalid' } });
  });

  it('packs a source map after the component, and leaves out one that the registry would refuse', async () => {
    const map = '{"version":3,"sources":[],"mappings":""}';
    const packed = await pack(COMPONENT_MAGIC, {}, { 'dist/source.map': map });
    if (!packed.ok) throw new Error(packed.problem.message);
    const entries = await entriesOf(packed.value.path);
    expect(entries.map(({ name }) => name)).toEqual(['manifest.json', 'component.wasm', 'source.map']);
    expect(entries[2]?.content.toString()).toBe(map);

    const large = await pack(COMPONENT_MAGIC, {}, { 'dist/source.map': new Uint8Array(8 * 1024 * 1024 + 1) });
    if (!large.ok) throw new Error(large.problem.message);
    expect((await entriesOf(large.value.path)).map(({ name }) => name)).toEqual(['manifest.json', 'component.wasm']);
    expect(large.value.component.notes).toEqual([expect.stringMatching(/source map is left out: 8388609 bytes/)]);
  });

  it('packs a core module where the manifest says legacy, and says that this is deprecated', async () => {
    const module = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
    const packed = await pack(module, { runtime: 'legacy', engine: undefined });
    if (!packed.ok) throw new Error(packed.problem.message);
    expect((await entriesOf(packed.value.path))[1]).toMatchObject({
      name: 'component.wasm',
      content: Buffer.from(module),
    });
    expect(packed.value.component.notes).toEqual([expect.stringMatching(/"legacy" is deprecated/)]);
    expect(await pack(COMPONENT_MAGIC, { runtime: 'legacy', engine: undefined })).toMatchObject({
      ok: false,
      problem: { code: 'component_invalid', message: 'This is not a core module: dist/component.wasm.' },
    });
  });

  it('refuses a manifest that the registry would refuse', async () => {
    expect(await pack(COMPONENT_MAGIC, { title: '' })).toMatchObject({
      ok: false,
      problem: { code: 'manifest_invalid' },
    });
  });
});
