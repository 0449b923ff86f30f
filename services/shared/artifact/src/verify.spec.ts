import { base64url, CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import { signArtifact } from './sign.ts';
import { verifyArtifact } from './verify.ts';

const contentHash = `sha256:${'a'.repeat(64)}`;
const files = new Map([
  ['component.js', new TextEncoder().encode('glue')],
  ['component.core.wasm', new Uint8Array([0, 1, 2])],
]);
const meta = {
  contentHash,
  entry: 'component.js',
  imports: ['alga:extension/secrets@1.0.0'],
  createdAt: new Date('2026-11-23T10:00:00.000Z'),
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
  };
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
    ['__proto__ for a member', `{"__proto__":1,${JSON.stringify(descriptor).slice(1)}`],
  ])('refuses a well-signed descriptor with %s', async (_kind, payload) => {
    expect(await verify({ signature: await signed(payload) })).toMatchObject({ ok: false });
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
