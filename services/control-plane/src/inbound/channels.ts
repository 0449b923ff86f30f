import type { Bus } from '@alga/chassis';
import { AlgaError, channels, type StorageEntry } from '@alga/contracts';
import { secretsMaterial } from '../core/material.ts';
import { toError } from '../core/refusal.ts';
import { type ResolveDependencies, resolveInstall } from '../core/resolve-install.ts';
import { storageAuthority } from '../core/storage-authority.ts';
import type { AccessStore } from '../ports/access-store.ts';
import type { InstallStore } from '../ports/install-store.ts';
import type { StorageOwner, StorageStore, StoredValue } from '../ports/storage-store.ts';

/** More requests than this at once are answered `overloaded`: the pool has fewer connections, the rest only wait for one. */
const MAX_IN_FLIGHT = 512;

interface ChannelDependencies {
  readonly resolve: ResolveDependencies;
  readonly access: AccessStore;
  readonly installs: InstallStore;
  readonly storage: StorageStore;
}

/** Answers the requests of gateways, registry, broker and runners. */
export function serveChannels(bus: Bus, { resolve, access, installs, storage }: ChannelDependencies): void {
  const limit = { maxInFlight: MAX_IN_FLIGHT };

  bus.serve(
    channels.installResolve,
    async (request) => {
      const resolved = await resolveInstall(resolve, request);
      if (resolved.kind === 'refused') throw toError(resolved);
      return resolved.reply;
    },
    limit,
  );

  bus.serve(
    channels.apikeyVerify,
    async ({ keySha256 }) => {
      const principal = await access.verify(keySha256);
      if (principal === undefined) throw new AlgaError('unauthenticated');
      return principal;
    },
    limit,
  );

  bus.serve(
    channels.secretsMaterial,
    async ({ tenantId, installId }) => {
      const found = await installs.material(tenantId, installId);
      if (found === undefined) throw new AlgaError('extension_not_found');
      return secretsMaterial(found.install, found.secrets);
    },
    limit,
  );

  bus.serve(channels.secretsChanged, async ({ references }) => ({ installs: await installs.raiseEpochs(references) }));

  const ownerOf = async (token: string, capability: 'storage.read' | 'storage.write'): Promise<StorageOwner> => {
    const authority = await storageAuthority(resolve.signer, token, capability, resolve.nowMs());
    if (authority.kind === 'refused') throw toError(authority);
    return authority.owner;
  };

  bus.serve(
    channels.storageGet,
    async ({ token, key }) => {
      const stored = await storage.get(await ownerOf(token, 'storage.read'), key);
      return stored === undefined ? {} : { entry: toEntry(stored) };
    },
    limit,
  );

  bus.serve(
    channels.storagePut,
    async ({ token, key, value, expectedRevision, ttlSeconds }) => {
      const owner = await ownerOf(token, 'storage.write');
      return storage.put(owner, { key, value: Buffer.from(value, 'base64'), expectedRevision, ttlSeconds });
    },
    limit,
  );

  bus.serve(
    channels.storageDelete,
    async ({ token, key, expectedRevision }) => ({
      outcome: await storage.delete(await ownerOf(token, 'storage.write'), key, expectedRevision),
    }),
    limit,
  );

  bus.serve(
    channels.storageList,
    async ({ token, prefix, cursor, limit: count }) => {
      const owner = await ownerOf(token, 'storage.read');
      const { entries, nextCursor } = await storage.list(owner, { prefix, after: cursor, limit: count });
      return { entries: entries.map(toEntry), ...(nextCursor === undefined ? {} : { nextCursor }) };
    },
    limit,
  );
}

const toEntry = ({ key, value, revision, expiresAt }: StoredValue): StorageEntry => ({
  key,
  value: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64'),
  revision,
  ...(expiresAt === undefined ? {} : { expiresAt }),
});
