import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SourceTrouble } from '../core/secret-reading.ts';
import { conformsToSecretProvider } from '../ports/secret-provider.conformance.ts';
import { VaultStandIn, type VaultTrouble } from '../testing/vault-stand-in.ts';
import { VaultProvider } from './vault-provider.ts';

const WAIT_MS = 5_000;

async function setup(namespace?: string) {
  const vault = await VaultStandIn.start();
  const dir = await mkdtemp(path.join(tmpdir(), 'alga-vault-'));
  const tokenFile = path.join(dir, 'token');
  await writeFile(tokenFile, `${vault.token}\n`);
  const provider = new VaultProvider({ address: vault.address, tokenFile, namespace, chainFolder: 'secret/alga' });
  const close = async () => {
    await vault.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { vault, provider, tokenFile, close };
}

describe('the Vault provider', () => {
  conformsToSecretProvider(async () => {
    const { vault, provider, close } = await setup();
    return {
      provider,
      reference: (name) => `vault:secret/alga/${name}#value`,
      put: async (name, value) => vault.put(`secret/alga/${name}`, { value }),
      remove: async (name) => vault.delete(`secret/alga/${name}`),
      breakSource: async () => {
        vault.trouble = 'sealed';
      },
      close,
    };
  });

  let parts: Awaited<ReturnType<typeof setup>>;
  const read = (reference = 'vault:secret/app#key') => parts.provider.read(reference, AbortSignal.timeout(WAIT_MS));
  beforeEach(async () => {
    parts = await setup('team-a');
    parts.vault.put('secret/app', { key: 'the-vault-value', count: 3 });
  });
  afterEach(() => parts.close());

  it('reads one field of the newest version, under its token and namespace', async () => {
    await expect(read()).resolves.toMatchObject({ outcome: 'found', version: '1' });
    expect(parts.vault.requests).toEqual([
      { path: '/v1/secret/data/app', token: parts.vault.token, namespace: 'team-a' },
    ]);
  });

  it('uses the token that is in the file now', async () => {
    await writeFile(parts.tokenFile, 'expired');
    await expect(read()).rejects.toThrow('status 403');
    await writeFile(parts.tokenFile, parts.vault.token);
    await expect(read()).resolves.toMatchObject({ outcome: 'found' });
    await rm(parts.tokenFile);
    await expect(read()).rejects.toThrow('token file');
  });

  it('says not_found of a missing field, and is in trouble over one that is no text', async () => {
    await expect(read('vault:secret/app#other')).resolves.toEqual({ outcome: 'not_found' });
    await expect(read('vault:secret/app#toString')).resolves.toEqual({ outcome: 'not_found' });
    await expect(read('vault:secret/app#__proto__')).resolves.toEqual({ outcome: 'not_found' });
    await expect(read('vault:secret/app#count')).rejects.toBeInstanceOf(SourceTrouble);
  });

  it.each<[VaultTrouble, string]>([
    ['forbidden', 'status 403: 1 error occurred: * permission denied'],
    ['throttled', 'status 429'],
    ['sealed', 'status 503: Vault is sealed'],
    ['failing', 'status 500'],
    ['unmounted', 'status 404'],
    ['malformed', 'not that of a KV version 2 engine'],
    ['endless', 'the answer is over'],
    ['hanging', 'no answer in time'],
    ['dripping', 'no answer in time'],
  ])('is in trouble when Vault is %s', async (trouble, message) => {
    parts.vault.trouble = trouble;
    const started = performance.now();
    const error = await read().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SourceTrouble);
    expect((error as Error).message).toContain(message);
    expect(performance.now() - started).toBeLessThan(WAIT_MS);
  });

  it('does not follow a redirect, least of all with its token', async () => {
    const seen: string[] = [];
    const thief = createServer((request, response) => {
      seen.push(String(request.headers['x-vault-token']));
      response.end('{}');
    });
    await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
    parts.vault.trouble = {
      redirectTo: `http://127.0.0.1:${(thief.address() as AddressInfo).port}/v1/secret/data/app`,
    };
    await expect(read()).rejects.toThrow('status 307');
    expect(seen).toEqual([]);
    await new Promise((resolve) => thief.close(resolve));
  });

  it('is in trouble when nobody listens, and keeps token and address out of what it throws', async () => {
    await parts.vault.stop();
    const error = (await read().catch((reason: unknown) => reason)) as Error;
    expect(error).toBeInstanceOf(SourceTrouble);
    expect(error.cause).toBeUndefined();
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(parts.vault.token);
  });

  it('stops waiting when the caller does', async () => {
    parts.vault.trouble = 'hanging';
    const gone = AbortSignal.abort();
    await expect(parts.provider.read('vault:secret/app#key', gone)).rejects.toThrow('no answer in time');
  });
});
