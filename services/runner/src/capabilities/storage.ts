import type { Bus, RequestOptions } from '@alga/chassis';
import { AlgaError, channels, type StorageEntry } from '@alga/contracts';
import type { HostResult } from '../sandbox/protocol.ts';
import { bytesOf, optionOf, textOf, u32Of, u64Of } from './arguments.ts';
import { type CallScope, type Capability, ok, refused } from './capability.ts';

/** One storage call may not use up a whole request. */
const DEADLINE_MS = 5_000;
const MAX_KEY_CHARS = 512;
const MAX_VALUE_BYTES = 128 * 1024;
const MAX_TTL_SECONDS = 31_536_000;
const MAX_PAGE = 100;
const KEY = /^[A-Za-z0-9._:/-]+$/;
const PREFIX = /^[A-Za-z0-9._:/-]*$/;

const KEY_RULE = `1 to ${MAX_KEY_CHARS} of the characters A-Z a-z 0-9 . _ : / -`;

/** Key-value storage of the install: the control-plane takes whose it is from the token that goes along. */
export function storageCapability(bus: Pick<Bus, 'request'>, scope: CallScope): Capability {
  const { token } = scope;
  const options = (): RequestOptions => ({ deadlineMs: Math.max(1, Math.min(DEADLINE_MS, scope.remainingMs())) });
  const invalid = (hostFunction: string, reason: string): HostResult => {
    scope.explain(`storage.${hostFunction}`, reason);
    return refused('internal');
  };
  // The WIT has one word for all of these: which limit it was is for the operator and the author.
  const tooLarge = (hostFunction: string, reason: string): HostResult => {
    scope.explain(`storage.${hostFunction}`, reason);
    return refused('too-large');
  };
  const settle = (hostFunction: string, work: () => Promise<HostResult>) =>
    settled(work, (reason) => tooLarge(hostFunction, reason));
  return {
    get(args) {
      const key = keyOf(args[0]);
      // No key of another shape was ever written.
      if (key === undefined) return refused('missing');
      return settle('get', async () => {
        const { entry } = await bus.request(channels.storageGet, { token, key }, options());
        return entry === undefined ? refused('missing') : ok(toWit(entry));
      });
    },

    put(args) {
      const key = keyOf(args[0]);
      const value = bytesOf(args[1]);
      const expected = optionOf(args[2], u64Of);
      const ttl = optionOf(args[3], u32Of);
      if (typeof args[0] === 'string' && args[0].length > MAX_KEY_CHARS) {
        return tooLarge('put', `the key has more than ${MAX_KEY_CHARS} characters`);
      }
      if (key === undefined) return invalid('put', `the key is not ${KEY_RULE}`);
      if (value === undefined) return invalid('put', 'the value is not bytes');
      if (value.length > MAX_VALUE_BYTES) return tooLarge('put', `the value has more than ${MAX_VALUE_BYTES} bytes`);
      if (!expected.ok) return invalid('put', 'expected-revision is not a u64');
      if (!ttl.ok || ttl.value === 0 || (ttl.value ?? 0) > MAX_TTL_SECONDS) {
        return invalid('put', `ttl-seconds is not 1 to ${MAX_TTL_SECONDS}`);
      }
      const revision = revisionOf(expected.value);
      if (revision === 'never') return refused('conflict');
      const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
      return settle('put', async () => {
        const request = {
          token,
          key,
          value: base64,
          ...revision,
          ...(ttl.value === undefined ? {} : { ttlSeconds: ttl.value }),
        };
        const reply = await bus.request(channels.storagePut, request, options());
        return reply.outcome === 'stored' ? ok(BigInt(reply.revision)) : refused('conflict');
      });
    },

    delete(args) {
      const key = keyOf(args[0]);
      const expected = optionOf(args[1], u64Of);
      if (key === undefined) return refused('missing');
      if (!expected.ok) return invalid('delete', 'expected-revision is not a u64');
      const revision = revisionOf(expected.value);
      if (revision === 'never') return refused('conflict');
      return settle('delete', async () => {
        const { outcome } = await bus.request(channels.storageDelete, { token, key, ...revision }, options());
        return outcome === 'deleted' ? ok(undefined) : refused(outcome);
      });
    },

    listEntries(args) {
      const prefix = textOf(args[0], MAX_KEY_CHARS);
      const cursor = optionOf(args[1], keyOf);
      const limit = u32Of(args[2]);
      if (prefix === undefined || !PREFIX.test(prefix))
        return invalid('list-entries', `the prefix is not part of a key`);
      if (!cursor.ok) return invalid('list-entries', 'the cursor is none that this host gave out');
      if (limit === undefined || limit < 1 || limit > MAX_PAGE) {
        return invalid('list-entries', `the limit is not 1 to ${MAX_PAGE}`);
      }
      return settle('list-entries', async () => {
        const request = { token, prefix, limit, ...(cursor.value === undefined ? {} : { cursor: cursor.value }) };
        const { entries, nextCursor } = await bus.request(channels.storageList, request, options());
        return ok({ entries: entries.map(toWit), nextCursor });
      });
    },
  };
}

const keyOf = (value: unknown): string | undefined => {
  const text = textOf(value, MAX_KEY_CHARS);
  return text !== undefined && KEY.test(text) ? text : undefined;
};

/** `never`: a revision that no entry can have. */
function revisionOf(expected: bigint | undefined): { expectedRevision?: number } | 'never' {
  if (expected === undefined) return {};
  return expected <= BigInt(Number.MAX_SAFE_INTEGER) ? { expectedRevision: Number(expected) } : 'never';
}

const toWit = ({ key, value, revision, expiresAt }: StorageEntry) => ({
  key,
  // A plain Uint8Array of its own: a Buffer would drag the pool it is a view of over the process border.
  value: Uint8Array.from(Buffer.from(value, 'base64')),
  revision: BigInt(revision),
  expiresAt: expiresAt === undefined ? undefined : BigInt(expiresAt),
});

/** The control-plane's refusals in the words of the WIT; what is a fault of ours goes on as one. */
async function settled(work: () => Promise<HostResult>, tooLarge: (reason: string) => HostResult): Promise<HostResult> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AlgaError)) throw error;
    switch (error.code) {
      case 'forbidden':
      case 'envelope_invalid':
      case 'envelope_expired':
      case 'install_suspended':
      case 'extension_not_found':
        return refused('denied');
      case 'conflict':
        return refused('conflict');
      case 'body_too_large':
        return tooLarge(error.message); // the value or the quota of the install, in the control-plane's words
      case 'bad_request':
      case 'internal':
        throw error;
      default:
        return refused('unavailable');
    }
  }
}
