import { base64url, CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { signArtifact } from './sign.ts';
import { verifyArtifact } from './verify.ts';

const contentHash = `sha256:${'a'.repeat(64)}`;
const files = new Map([
  ['component.js', new TextEncoder().encode('glue')],
  ['component.core.wasm', new Uint8Array([0, 1, 2])],
  ['source.map', new TextEncoder().encode('{}')],
]);
const traits = {
  runtime: 'component',
  engine: 'quickjs',
  modules: [{ name: 'component.core.wasm', memory: { minPages: 2, maxPages: 4096 } }],
  pool: { reusable: false, reason: 'its code contains table.set, whose effect cannot be undone' },
  sourceMap: 'source.map',
} as const;
const meta = {
  contentHash,
  entry: 'component.js',
  imports: ['alga:extension/secrets@1.0.0'],
  createdAt: new Date('2026-11-23T10:00:00.000Z'),
  ...traits,
};

let privateKey: JWK;
let publicKeys: JWK[];
let signature: string;

async function keyPair(kid: string): Promise<{ private: JWK; public: JWK }> {
  const pair = await generateKeyPair('Ed25519', { extractable: true });
  return {
    private: { ...(await exportJWK(pair.privateKey)), kid },
    public: { ...(await exportJWK(pair.publicKey)), kid },
  };
}

beforeAll(async () => {
  const pair = await keyPair('registry-1');
  privateKey = pair.private;
  publicKeys = [pair.public];
  signature = (await signArtifact(files, meta, privateKey)).signature;
});

function verify(overrides: Partial<Parameters<typeof verifyArtifact>[0]> = {}) {
  return verifyArtifact({ signature, files, publicKeys, contentHash, ...overrides });
}

/** Signs anything with the right key: what a mistake in the registry, or a key used elsewhere, could produce. */
async function signed(payload: unknown, header: Record<string, unknown> = {}, key: JWK = privateKey): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'Ed25519', typ: 'alga-artifact+jws', kid: 'registry-1', ...header })
    .sign(await importJWK(key, 'Ed25519'), { crit: { 'x-crit': true } });
}

const withHeader = (header: object) =>
  `${base64url.encode(JSON.stringify(header))}.${signature.split('.').slice(1).join('.')}`;

describe('I9: verifyArtifact', () => {
  it('gives back an artifact that is what was signed', async () => {
    expect(await verify()).toEqual({
      ok: true,
      artifact: {
        contentHash,
        entry: 'component.js',
        files,
        imports: meta.imports,
        createdAt: '2026-11-23T10:00:00.000Z',
        ...traits,
      },
    });
  });

  it('accepts any of the known keys, by its id', async () => {
    const next = await keyPair('registry-2');
    expect(await verify({ publicKeys: [next.public, ...publicKeys] })).toMatchObject({ ok: true });
    expect(await verify({ publicKeys: [next.public] })).toEqual({ ok: false, reason: 'the key id is not known' });
    expect(await verify({ publicKeys: [{ ...next.public, kid: 'registry-1' }] })).toEqual({
      ok: false,
      reason: 'the signature does not verify',
    });
  });

  it('refuses an honest signature over another component', async () => {
    expect(await verify({ contentHash: `sha256:${'b'.repeat(64)}` })).toMatchObject({ ok: false });
  });

  it.each([
    ['a missing file', () => new Map([...files].slice(0, 1))],
    ['an extra file', () => new Map([...files, ['extra.js', new Uint8Array(1)]])],
    ['a renamed file', () => new Map([...files].map(([name, bytes]) => [`x${name}`, bytes]))],
    ['a changed byte', () => new Map([...files, ['component.core.wasm', new Uint8Array([0, 1, 3])]])],
    ['a longer file', () => new Map([...files, ['component.core.wasm', new Uint8Array([0, 1, 2, 0])]])],
  ])('refuses %s', async (_kind, changed) => {
    expect(await verify({ files: changed() })).toMatchObject({ ok: false });
  });

  it.each([
    ['alg none', () => withHeader({ alg: 'none', typ: 'alga-artifact+jws', kid: 'registry-1' })],
    ['HS256', () => withHeader({ alg: 'HS256', typ: 'alga-artifact+jws', kid: 'registry-1' })],
    ['the old name of the algorithm', () => withHeader({ alg: 'EdDSA', typ: 'alga-artifact+jws', kid: 'registry-1' })],
    ['no kid', () => withHeader({ alg: 'Ed25519', typ: 'alga-artifact+jws' })],
    ['a kid that is a path', () => withHeader({ alg: 'Ed25519', typ: 'alga-artifact+jws', kid: '../../etc/passwd' })],
    ['another typ', () => signed({}, { typ: 'JWT' })],
    ['an embedded key', () => signed({}, { jwk: publicKeys[0] })],
    ['a key address', () => signed({}, { jku: 'https://evil.example/jwks' })],
    ['a certificate', () => signed({}, { x5c: ['AAAA'] })],
    [
      'b64',
      () => withHeader({ alg: 'Ed25519', typ: 'alga-artifact+jws', kid: 'registry-1', b64: false, crit: ['b64'] }),
    ],
    ['crit', () => signed({}, { crit: ['x-crit'], 'x-crit': 1 })],
    ['a changed payload', () => signature.replace(/\.(.)/, (_, first) => `.${first === 'A' ? 'B' : 'A'}`)],
    ['a non-canonical last character', () => `${signature.slice(0, -1)}${nextCharacter(signature.at(-1) ?? '')}`],
    ['a trailing newline', () => `${signature}\n`],
    ['a fourth segment', () => `${signature}.AAAA`],
    ['an empty signature', () => `${signature.split('.').slice(0, 2).join('.')}.`],
    ['a megabyte', () => 'A'.repeat(1_000_000)],
    ['nothing', () => ''],
  ])('refuses a token with %s', async (_kind, token) => {
    expect(await verify({ signature: await token() })).toMatchObject({ ok: false });
  });

  const file = { name: 'component.js', sha256: '0'.repeat(64), size: 1 };
  const descriptor = {
    contentHash,
    createdAt: '2026-11-23T10:00:00Z',
    entry: 'component.js',
    files: [file],
    imports: [],
    runtime: 'legacy',
    engine: 'legacy',
    modules: [],
    pool: { reusable: true },
    sourceMap: null,
  };
  const module = { name: 'm.wasm', memory: null };
  const withModule = { ...descriptor, files: [file, { ...file, name: 'm.wasm' }], modules: [module] };
  const pages = (minPages: unknown, maxPages: unknown) => ({
    ...withModule,
    modules: [{ ...module, memory: { minPages, maxPages } }],
  });
  it.each([
    ['without a core module', descriptor],
    ['with one', withModule],
    ['with one that has a memory', pages(0, 4096)],
  ])('takes a well-signed descriptor %s for its word', async (_kind, payload) => {
    // The files are others: it gets as far as them.
    expect(await verify({ signature: await signed(payload) })).toMatchObject({
      reason: expect.stringMatching(/^files are missing|^a signed file is missing|^a file is not the signed one/),
    });
  });

  it.each([
    ['not JSON', 'x'],
    ['not an object', []],
    ['an unknown member', { ...descriptor, more: 1 }],
    ['a member missing', { ...descriptor, imports: undefined }],
    ['a content hash of another form', { ...descriptor, contentHash: 'a'.repeat(64) }],
    ['a local time', { ...descriptor, createdAt: '2026-11-23 10:00' }],
    ['no file', { ...descriptor, files: [] }],
    ['too many files', { ...descriptor, files: Array.from({ length: 65 }, (_, n) => ({ ...file, name: `f${n}` })) }],
    ['a doubled file', { ...descriptor, files: [file, file] }],
    ['a file name with a slash', { ...descriptor, entry: '../x', files: [{ ...file, name: '../x' }] }],
    ['a negative size', { ...descriptor, files: [{ ...file, size: -1 }] }],
    ['more bytes than fit', { ...descriptor, files: [{ ...file, size: 2 ** 40 }] }],
    ['an entry that is not a file', { ...descriptor, entry: 'other.js' }],
    ['an import that is not a name', { ...descriptor, imports: ['a b'] }],
    ['an unknown runtime', { ...descriptor, runtime: 'process' }],
    ['an unknown engine', { ...descriptor, engine: 'v8' }],
    ['a core module without an entry in modules', { ...withModule, modules: [] }],
    ['an entry in modules without a core module', { ...descriptor, modules: [module] }],
    ['a doubled entry in modules', { ...withModule, modules: [module, module] }],
    ['an unknown member in modules', { ...withModule, modules: [{ ...module, more: 1 }] }],
    ['modules that are no list', { ...descriptor, modules: {} }],
    ['a memory of half a page', pages(0.5, 1)],
    ['a memory above the platform’s', pages(0, 4097)],
    ['a memory that shrinks', pages(2, 1)],
    ['a memory without a maximum', { ...withModule, modules: [{ ...module, memory: { minPages: 1 } }] }],
    ['a pool without a reason', { ...descriptor, pool: { reusable: false } }],
    ['a pool with a reason too many', { ...descriptor, pool: { reusable: true, reason: 'x' } }],
    ['a pool with a reason that is a book', { ...descriptor, pool: { reusable: false, reason: 'x'.repeat(401) } }],
    ['a source map that is not a file', { ...descriptor, sourceMap: 'source.map' }],
    ['no word about a source map', { ...descriptor, sourceMap: undefined }],
    ['__proto__ for a member', `{"__proto__":1,${JSON.stringify(descriptor).slice(1)}`],
  ])('refuses a well-signed descriptor with %s', async (_kind, payload) => {
    const verified = await verify({ signature: await signed(payload) });
    expect(verified).toMatchObject({ ok: false });
    expect(verified).not.toMatchObject({ reason: expect.stringMatching(/file is|files are missing/) });
  });
});

describe('signArtifact', () => {
  it('does not sign what would not verify', async () => {
    await expect(signArtifact(files, { ...meta, entry: 'other.js' }, privateKey)).rejects.toThrow(TypeError);
    await expect(signArtifact(new Map([['a/b', new Uint8Array()]]), meta, privateKey)).rejects.toThrow(TypeError);
    const { kid: _, ...anonymous } = privateKey;
    await expect(signArtifact(files, meta, anonymous)).rejects.toThrow('kid');
  });
});

function nextCharacter(last: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[(alphabet.indexOf(last) + 1) % 64] ?? '';
}
