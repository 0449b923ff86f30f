// The worst uploads that we know of, through the whole registry, with other publishers at work beside them.
import { readFile } from 'node:fs/promises';
import { zstdCompressSync } from 'node:zlib';
import { type ApikeyVerifyReply, CAPABILITIES, channels, type Problem } from '@alga/contracts';
import { buildGuest } from '@alga/fixtures';
import { tarOf } from './test-support/archive.ts';
import { manifestOf } from './test-support/manifest.ts';
import { type RunningRegistry, startRegistry } from './test-support/running-registry.ts';
import { smallComponent } from './test-support/small-component.ts';

const ATTACKER = 'alga_publisher_of_mallory';
const NEIGHBOUR = 'alga_publisher_of_acme';
const WAT_GUEST = new URL('../../shared/fixtures/guests/wat/guest.wat', import.meta.url);
const KEYS: Readonly<Record<string, ApikeyVerifyReply>> = {
  [ATTACKER]: { keyId: 'k-mallory', tenantId: 'mallory', scopes: ['publish'] },
  [NEIGHBOUR]: { keyId: 'k-acme', tenantId: 'acme', scopes: ['publish'] },
};
/** A small component takes a second on a quiet machine; two cores may be busy with other specs. */
const NEIGHBOUR_MS = 15_000;
/** A look-up compiles nothing. */
const RESOLVE_MS = 3_000;
const MIB = 1024 * 1024;

let registry: RunningRegistry;
let small: Uint8Array;

beforeAll(async () => {
  small = await smallComponent(['context', 'secrets']);
  registry = await startRegistry(KEYS);
  const known = await registry.post(await bundle(small, { extensionId: 'known' }), { key: NEIGHBOUR });
  expect(known).toMatchObject({ status: 201 });
}, 180_000);

afterAll(() => registry?.stop(), 60_000);

const bundle = async (wasm: Uint8Array, manifest: Readonly<Record<string, unknown>> = {}): Promise<Buffer> =>
  zstdCompressSync(await tarOf({ 'manifest.json': manifestOf(manifest), 'component.wasm': wasm }));

/** LEB128, as WebAssembly counts. */
function u32(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...u32(Math.floor(value / 0x80))];
}

const CORE = Buffer.from('0061736d01000000', 'hex');
const COMPONENT = Buffer.from('0061736d0d000100', 'hex');

const section = (id: number, ...content: readonly (readonly number[] | Uint8Array)[]): Buffer => {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.of(id, ...u32(bytes.length)), bytes]);
};

/** A component that is one core module and nothing else. */
const around = (...sections: readonly Buffer[]): Buffer => Buffer.concat([COMPONENT, section(1, CORE, ...sections)]);

/** `count` functions of type [] -> [], each of this body. */
function functions(count: number, body: readonly number[]): Buffer {
  const sized = Buffer.of(...u32(body.length), ...body);
  return around(
    section(1, [1, 0x60, 0, 0]),
    section(3, u32(count), Buffer.alloc(count)),
    section(10, u32(count), Buffer.alloc(sized.length * count, sized)),
  );
}

const I64 = 0x7e;
const END = 0x0b;

/** A guest with nothing wrong but that its start function never returns. */
async function loopingAtStart(): Promise<Uint8Array> {
  const text = (await readFile(WAT_GUEST, 'utf8')).trimEnd();
  const wat = `${text.slice(0, -1)} (func $forever (loop $again (br $again))) (start $forever))`;
  return (await buildGuest('wat', { wat })).component;
}

interface Refused {
  readonly code: string;
  readonly reason: string;
}

const UPLOADS: readonly [string, () => Promise<Uint8Array>, Refused][] = [
  [
    'a locals bomb: 50,000 functions of 5,000 locals in a few hundred kilobytes',
    () => bundle(functions(50_000, [1, ...u32(5_000), I64, END])),
    { code: 'component_invalid', reason: 'locals' },
  ],
  [
    '900,000 functions',
    () => bundle(functions(900_000, [0x00, END])),
    { code: 'component_invalid', reason: 'functions' },
  ],
  [
    'lengths that lie: 2^32 - 1 types in a section of 5 bytes',
    () => bundle(around(section(1, u32(2 ** 32 - 1)))),
    { code: 'component_invalid', reason: 'types' },
  ],
  [
    'a core module longer than its component',
    () => bundle(Buffer.concat([COMPONENT, Buffer.of(1, ...u32(2 ** 32 - 1)), CORE])),
    { code: 'component_invalid', reason: 'bytes are announced' },
  ],
  [
    'no component',
    () => bundle(Buffer.alloc(MIB, 'not WebAssembly ')),
    { code: 'component_invalid', reason: 'is not WebAssembly' },
  ],
  [
    'a Zstandard bomb: 10 GB of zeroes in one megabyte',
    async () => Buffer.concat(Array<Buffer>(100).fill(zstdCompressSync(Buffer.alloc(100 * MIB)))),
    { code: 'bundle_invalid', reason: 'unpacks to more than' },
  ],
];

describe('an upload that is made to do harm', () => {
  it.each(UPLOADS)(
    'is refused by name, and others publish and look up meanwhile: %s',
    async (_what, make, refused) => {
      const upload = await make();
      const next = await bundle(small, { extensionId: 'neighbour', version: nextVersion() });
      const attack = registry.post(upload, { key: ATTACKER });
      const [found, published] = await Promise.all([timed(lookUp()), timed(registry.post(next, { key: NEIGHBOUR }))]);
      expect(found.value).toMatchObject({ extensionId: 'known' });
      expect(found.ms).toBeLessThan(RESOLVE_MS);
      expect(published.value).toMatchObject({ status: 201 });
      expect(published.ms).toBeLessThan(NEIGHBOUR_MS);
      const { status, body } = await attack;
      const { code, errors } = body as unknown as Problem;
      expect({ status, code, reason: errors?.[0]?.reason }).toEqual({
        status: 422,
        code: refused.code,
        reason: expect.stringContaining(refused.reason),
      });
    },
    60_000,
  );

  it('by a start function that never returns is published: the registry runs nothing of what it takes', async () => {
    const upload = await bundle(await loopingAtStart(), { extensionId: 'starter', capabilities: [...CAPABILITIES] });
    const attack = registry.post(upload, { key: ATTACKER });
    const found = await timed(lookUp());
    expect(found.ms).toBeLessThan(RESOLVE_MS);
    expect(await attack).toMatchObject({ status: 201 });
  }, 60_000);

  it('leaves the registry as it was: six at once, and then a publication', async () => {
    const uploads = await Promise.all(UPLOADS.map(([, make]) => make()));
    const attacks = uploads.map((upload) => registry.post(upload, { key: ATTACKER }));
    const found = await timed(lookUp());
    expect(found.ms).toBeLessThan(RESOLVE_MS);
    // Those beyond the number that is taken at once are turned away; none is a fault of the registry's own.
    for (const { status } of await Promise.all(attacks)) expect([422, 503]).toContain(status);
    const next = await bundle(small, { extensionId: 'neighbour', version: nextVersion() });
    expect(await registry.post(next, { key: NEIGHBOUR })).toMatchObject({ status: 201 });
  }, 60_000);
});

const lookUp = () => registry.peer.request(channels.artifactResolve, { extensionId: 'known' }, { deadlineMs: 10_000 });

let versions = 0;
const nextVersion = (): string => `1.0.${versions++}`;

async function timed<T>(work: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const begun = performance.now();
  return { value: await work, ms: performance.now() - begun };
}
