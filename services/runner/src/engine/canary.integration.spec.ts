import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { ROUTES } from '@alga/fixtures';
import { bodyOf, createHarness, guestArtifact, type Harness, host } from './fixtures/harness.ts';
import type { HostHandler } from './outcome.ts';

/** Reading the memory of a process of another user takes procfs, and root. */
const asRoot = process.platform === 'linux' && process.getuid?.() === 0 ? it : it.skip;
const CHUNK_BYTES = 4 * 1_048_576;

/** What is in no other place than where it was put: it is random, and made anew for each test. */
function canary(): string {
  return `canary-${randomBytes(16).toString('hex')}`;
}

/** Which of the texts lie in the memory of a process: in one byte per character, or in two, as V8 keeps some. */
function foundIn(pid: number, texts: readonly string[]): string[] {
  const found = new Set<string>();
  const forms = texts.flatMap((text) => [
    { text, bytes: Buffer.from(text, 'latin1') },
    { text, bytes: Buffer.from(text, 'utf16le') },
  ]);
  const overlap = Math.max(...forms.map(({ bytes }) => bytes.length)) - 1;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (const { start, end } of readableRegions(pid)) {
      for (let at = start; at < end; at += CHUNK_BYTES - overlap) {
        const read = readOrNothing(memory, chunk, at, Math.min(CHUNK_BYTES, end - at));
        const part = chunk.subarray(0, read);
        for (const { text, bytes } of forms) if (part.includes(bytes)) found.add(text);
      }
    }
  } finally {
    closeSync(memory);
  }
  return texts.filter((text) => found.has(text));
}

function readableRegions(pid: number): { start: number; end: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
      return start === undefined || end === undefined
        ? []
        : [{ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) }];
    })
    .filter(({ end }) => Number.isSafeInteger(end));
}

// What the kernel maps for itself is listed as readable and is not.
function readOrNothing(memory: number, chunk: Buffer, at: number, length: number): number {
  try {
    return readSync(memory, chunk, 0, length, at);
  } catch {
    return 0;
  }
}

/** Knows one secret, and leaves the guest that has read it waiting for the list of all. */
function holdingHost(secret: string) {
  const holds = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const handler: HostHandler = async (call) => {
    if (call.interface !== 'secrets') return host(call);
    if (call.function === 'get') return { ok: true, value: secret };
    holds.resolve();
    await released.promise;
    return host(call);
  };
  return { handler, holds: holds.promise, release: released.resolve };
}

describe('I3 and I5: the memory of a sandbox', () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = createHarness(await guestArtifact());
  }, 180_000);

  afterAll(() => harness.engine.close());

  asRoot(
    'holds the secret of its own tenant while it is used, and never that of another',
    async () => {
      const tenants = ['acme', 'bolt'].map((tenantId) => ({ tenantId, secret: canary() }));
      const secrets = tenants.map(({ secret }) => secret);
      const calls = tenants.map(({ tenantId, secret }) => {
        const holding = holdingHost(secret);
        return {
          ...holding,
          tenantId,
          secret,
          outcome: harness.run(ROUTES.secret, { tenantId, host: holding.handler }),
        };
      });
      await Promise.all(calls.map(({ holds }) => holds));
      const look = (): string[][] =>
        tenants.map(({ tenantId }) => foundIn(harness.pidOf(tenantId) ?? Number.NaN, secrets));
      // That each finds its own is what shows that this search can find anything.
      expect(look()).toEqual(secrets.map((secret) => [secret]));
      for (const { release } of calls) release();
      for (const { outcome, secret } of calls) expect(bodyOf(await outcome)).toMatchObject({ value: secret });
      for (const [index, found] of look().entries()) {
        expect(found.filter((secret) => secret !== secrets[index])).toEqual([]);
      }
    },
    60_000,
  );
});
