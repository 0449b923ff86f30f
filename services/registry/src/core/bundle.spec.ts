import { createHash } from 'node:crypto';
import { tarOf } from '../test-support/archive.ts';
import { manifestOf } from '../test-support/manifest.ts';
import { readBundle } from './bundle.ts';

const component = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const module = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

const refusalOf = async (files: Readonly<Record<string, Uint8Array | string>>) => {
  const result = readBundle(await tarOf(files));
  return result.ok ? 'accepted' : { code: result.code, errors: result.errors };
};

describe('a bundle', () => {
  it('is its manifest, with defaults filled in, and its component, known by its hash', async () => {
    const result = readBundle(await tarOf({ 'manifest.json': manifestOf(), 'component.wasm': component }));
    expect(result).toMatchObject({
      ok: true,
      manifest: { extensionId: 'sample', egress: [], limits: { timeoutMs: 10_000 } },
      contentHash: `sha256:${createHash('sha256').update(component).digest('hex')}`,
      sourceMap: undefined,
    });
  });

  it.each([
    ['manifest.json', { 'component.wasm': component }],
    ['component.wasm', { 'manifest.json': manifestOf() }],
  ])('needs %s', async (field, files) => {
    expect(await refusalOf(files)).toEqual({ code: 'bundle_invalid', errors: [{ field, reason: 'is missing' }] });
  });

  it('of a legacy extension is its manifest and its core module', async () => {
    const manifest = manifestOf({ runtime: 'legacy' });
    const result = readBundle(await tarOf({ 'manifest.json': manifest, 'component.wasm': module }));
    expect(result).toMatchObject({ ok: true, manifest: { runtime: 'legacy' }, component: module });
  });

  it.each([
    [
      'component',
      module,
      'is a core module, not a component: build it with `alga build`, or set "runtime" to "legacy"',
    ],
    ['legacy', component, 'is a component, not a core module: set "runtime" to "component"'],
    ['legacy', Buffer.from('MZ'), 'is not WebAssembly'],
  ])('announced as %s has to hold one', async (runtime, bytes, reason) => {
    expect(await refusalOf({ 'manifest.json': manifestOf({ runtime }), 'component.wasm': bytes })).toEqual({
      code: 'component_invalid',
      errors: [{ field: 'component.wasm', reason }],
    });
  });

  it('may bring a source map, known by its hash', async () => {
    const bytes = Buffer.from('{"version":3,"mappings":"","sources":[]}');
    const files = { 'manifest.json': manifestOf(), 'component.wasm': component, 'source.map': bytes };
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(readBundle(await tarOf(files))).toMatchObject({ ok: true, sourceMap: { bytes, sha256 } });
    expect(await refusalOf({ ...files, 'source.map': '{"version":2}' })).toEqual({
      code: 'bundle_invalid',
      errors: [{ field: 'source.map', reason: 'has a version other than 3' }],
    });
  });

  it.each(['', 'MZ', '\0asm', '#!/bin/sh\n'])('refuses %j as a component', async (bytes) => {
    expect(await refusalOf({ 'manifest.json': manifestOf(), 'component.wasm': bytes })).toEqual({
      code: 'component_invalid',
      errors: [{ field: 'component.wasm', reason: 'is not WebAssembly' }],
    });
  });
});

describe('a manifest', () => {
  const withManifest = (manifest: string | Uint8Array) =>
    refusalOf({ 'manifest.json': manifest, 'component.wasm': component });

  it.each(['', '{', 'null', '[]', '{"a":1}', Buffer.from([0xff, 0xfe]), '['.repeat(200_000)])(
    'that is not one is refused as such',
    async (manifest) => {
      expect(await withManifest(manifest)).toMatchObject({ code: 'manifest_invalid' });
    },
  );

  it('is refused with a pointer to the field', async () => {
    expect(await withManifest(manifestOf({ version: '1.0' }))).toMatchObject({
      code: 'manifest_invalid',
      errors: [{ field: '/version' }],
    });
  });

  it('may not ask for a capability that does not exist', async () => {
    expect(await withManifest(manifestOf({ capabilities: ['secrets.get', 'root.shell'] }))).toMatchObject({
      code: 'capability_unknown',
      errors: [{ field: '/capabilities/1' }],
    });
  });

  it('may not smuggle a prototype in', async () => {
    expect(await withManifest(manifestOf().replace('{', '{"__proto__":{"capabilities":[]},'))).toMatchObject({
      code: 'manifest_invalid',
      errors: [{ field: '/__proto__' }],
    });
  });

  it('may not be larger than any manifest needs to be', async () => {
    expect(await withManifest(manifestOf().replace('{', `{${' '.repeat(256 * 1024)}`))).toMatchObject({
      code: 'manifest_invalid',
      errors: [{ field: '/', reason: 'is over 262144 bytes' }],
    });
  });
});
