import { configClient } from './config.ts';
import { ConfigError, HttpError, SecretError, StorageError } from './errors.ts';
import { httpClient } from './http.ts';
import { secretsClient } from './secrets.ts';
import { storageClient } from './storage.ts';

/** What the engine throws where a WIT result is an error. */
const refusal = (payload: unknown): Error => Object.assign(new Error('ComponentError'), { payload });
const throwing = (thrown: unknown) => (): never => {
  throw thrown;
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('secretsClient', () => {
  it.each(['missing', 'denied', 'expired', 'unavailable', 'internal'])('turns %s into a SecretError', async (code) => {
    const client = secretsClient({ get: throwing(refusal(code)), listKeys: throwing(refusal(code)) });
    const error = await client.get('api_key').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SecretError);
    expect(error).toMatchObject({ name: 'SecretError', code, key: 'api_key' });
    await expect(client.listKeys()).rejects.toMatchObject({ code, key: undefined });
  });

  it.each([
    ['a payload outside the enum', refusal('gone')],
    ['a payload that is the name of an object property', refusal('constructor')],
    ['a payload that is no string', refusal({ code: 'missing' })],
    ['a fault of the host', new TypeError('host bug')],
  ])('passes on %s untouched', async (_, thrown) => {
    const client = secretsClient({ get: throwing(thrown), listKeys: () => [] });
    await expect(client.get('k')).rejects.toBe(thrown);
  });
});

describe('configClient', () => {
  it('reads JSON values and tells unset from empty', async () => {
    const values = new Map([
      ['size', '20'],
      ['url', '""'],
    ]);
    const client = configClient({ get: (key) => values.get(key), getAll: () => '{"size":20,"url":""}' });
    expect([await client.get('size'), await client.get('url'), await client.get('none')]).toEqual([20, '', undefined]);
  });

  it('gives every value as a Map, in which __proto__ is a key like any other', async () => {
    const client = configClient({ get: () => undefined, getAll: () => '{"__proto__":"x","a":true}' });
    expect([...(await client.getAll())]).toEqual([
      ['__proto__', 'x'],
      ['a', true],
    ]);
  });

  it('turns a refusal into a ConfigError', async () => {
    const client = configClient({ get: throwing(refusal('denied')), getAll: throwing(refusal('internal')) });
    await expect(client.get('a')).rejects.toBeInstanceOf(ConfigError);
    await expect(client.getAll()).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('httpClient', () => {
  const echo = () => {
    const seen: unknown[] = [];
    const client = httpClient({
      fetch: (request) => {
        seen.push(request);
        return { status: 201, headers: [{ name: 'x-a', value: '1' }], body: bytes('{"n":1}') };
      },
    });
    return { client, seen };
  };

  it('sends a GET without a body and a POST with one', async () => {
    const { client, seen } = echo();
    await client.fetch('https://a.example/x', { headers: { b: 'c' } });
    await client.fetch(new URL('https://a.example/x'), { body: 'text' });
    expect(seen).toEqual([
      { method: 'GET', url: 'https://a.example/x', headers: [{ name: 'b', value: 'c' }] },
      { method: 'POST', url: 'https://a.example/x', headers: [], body: bytes('text') },
    ]);
  });

  it('sends json with its content type, unless one is given', async () => {
    const { client, seen } = echo();
    await client.fetch('https://a.example', { method: 'PUT', json: { a: 1 } });
    await client.fetch('https://a.example', { json: null, headers: { 'Content-Type': 'text/x' } });
    expect(seen).toMatchObject([
      { method: 'PUT', headers: [{ name: 'content-type', value: 'application/json' }], body: bytes('{"a":1}') },
      { method: 'POST', headers: [{ name: 'Content-Type', value: 'text/x' }], body: bytes('null') },
    ]);
  });

  it('refuses body and json together', async () => {
    await expect(echo().client.fetch('https://a.example', { body: 'a', json: 1 })).rejects.toThrow(TypeError);
  });

  it('gives the answer whatever its status', async () => {
    const answer = await echo().client.fetch('https://a.example');
    expect([answer.status, answer.ok, answer.headers.get('X-A'), answer.text(), answer.json()]).toEqual([
      201,
      true,
      '1',
      '{"n":1}',
      { n: 1 },
    ]);
  });

  it('names the origin of a refused call and nothing after it', async () => {
    const client = httpClient({ fetch: throwing(refusal('not-allowed')) });
    const error = await client.fetch('https://a.example/p?key=s3cr3t').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ code: 'not-allowed', target: 'https://a.example' });
    expect(String(error)).not.toContain('s3cr3t');
    await expect(client.fetch('s3cr3t')).rejects.toMatchObject({ target: 'not a URL' });
  });
});

describe('storageClient', () => {
  const stored = { key: 'k', value: bytes('{"a":1}'), revision: 7n, expiresAt: 1_800_000_000_000n };
  const host = (overrides: Partial<Parameters<typeof storageClient>[0]>) => ({
    get: () => stored,
    put: () => 8n,
    delete: () => undefined,
    listEntries: () => ({ entries: [] }),
    ...overrides,
  });

  it('reads an entry as bytes, text and JSON', async () => {
    const entry = await storageClient(host({})).get('k');
    expect([entry?.bytes, entry?.text(), entry?.json(), entry?.revision, entry?.expiresAt]).toEqual([
      bytes('{"a":1}'),
      '{"a":1}',
      { a: 1 },
      7n,
      1_800_000_000_000,
    ]);
  });

  it('gives undefined where nothing is stored, and an error for any other refusal', async () => {
    expect(await storageClient(host({ get: throwing(refusal('missing')) })).get('k')).toBeUndefined();
    const unavailable = storageClient(host({ get: throwing(refusal('unavailable')) }));
    await expect(unavailable.get('k')).rejects.toBeInstanceOf(StorageError);
  });

  it('writes text, bytes and JSON, with the condition and the life it is given', async () => {
    const calls: unknown[][] = [];
    const client = storageClient(
      host({
        put: (...call) => {
          calls.push(call);
          return 8n;
        },
      }),
    );
    await client.put('k', 'text');
    await client.put('k', bytes('raw'), { ifRevision: 0n });
    expect(await client.putJson('k', [1], { ttlSeconds: 60 })).toBe(8n);
    expect(calls).toEqual([
      ['k', bytes('text'), undefined, undefined],
      ['k', bytes('raw'), 0n, undefined],
      ['k', bytes('[1]'), undefined, 60],
    ]);
  });

  it('tells a lost race by the code conflict', async () => {
    const client = storageClient(host({ put: throwing(refusal('conflict')) }));
    await expect(client.put('k', 'v', { ifRevision: 1n })).rejects.toMatchObject({ code: 'conflict', key: 'k' });
  });

  it('refuses a value without a JSON form before the host is asked', async () => {
    await expect(storageClient(host({})).putJson('k', undefined)).rejects.toThrow(TypeError);
  });

  it('lists a page and where the next one begins', async () => {
    const calls: unknown[][] = [];
    const client = storageClient(
      host({
        listEntries: (...call) => {
          calls.push(call);
          return { entries: [stored], nextCursor: 'n' };
        },
      }),
    );
    const page = await client.list({ prefix: 'a/', cursor: 'c', limit: 5 });
    await client.list();
    expect([page.entries.map(({ key }) => key), page.nextCursor]).toEqual([['k'], 'n']);
    expect(calls).toEqual([
      ['a/', 'c', 5],
      ['', undefined, 100],
    ]);
  });
});
