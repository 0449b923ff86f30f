import { type Kysely, sql } from 'kysely';
import type { NewInstall, Patch } from '../core/change.ts';
import type { Grants } from '../core/grants.ts';
import type { Release, StoredSecret } from '../core/install.ts';
import type { ControlPlaneTables } from './postgres-schema.ts';

type Db = Kysely<ControlPlaneTables>;

/** False: the tenant has this extension installed already, by a transaction that was faster. */
export async function insertInstall(tx: Db, tenantId: string, install: NewInstall): Promise<boolean> {
  const { installId, release } = install;
  await snapshotRelease(tx, release);
  const inserted = await tx
    .insertInto('tenant_extension_installs')
    .values({
      install_id: installId,
      tenant_id: tenantId,
      extension_id: release.extensionId,
      version: release.version,
      content_hash: release.contentHash,
      status: 'active',
    })
    .onConflict((conflict) =>
      conflict.columns(['tenant_id', 'extension_id']).where(sql<boolean>`status <> 'uninstalled'`).doNothing(),
    )
    .returning('install_id')
    .executeTakeFirst();
  if (inserted === undefined) return false;
  await tx
    .insertInto('tenant_extension_install_config')
    .values({ install_id: installId, config: install.config })
    .execute();
  await tx
    .insertInto('tenant_extension_install_grants')
    .values({ install_id: installId, ...grantColumns(install.grants) })
    .execute();
  await tx.insertInto('install_storage_usage').values({ install_id: installId }).execute();
  return true;
}

/** Writes the patch and raises the epoch, under the lock that the caller holds (I1). */
export async function applyPatch(tx: Db, installId: string, patch: Patch): Promise<void> {
  const { release, config, grants, status, setSecret, deleteSecret } = patch;
  if (release !== undefined) await snapshotRelease(tx, release);
  if (config !== undefined) {
    await tx
      .updateTable('tenant_extension_install_config')
      .set({ config, config_version: sql`config_version + 1`, updated_at: sql`now()` })
      .where('install_id', '=', installId)
      .execute();
  }
  if (grants !== undefined) {
    await tx
      .updateTable('tenant_extension_install_grants')
      .set({ ...grantColumns(grants), updated_at: sql`now()` })
      .where('install_id', '=', installId)
      .execute();
  }
  if (setSecret !== undefined) await upsertSecret(tx, installId, setSecret.key, setSecret.secret);
  if (deleteSecret !== undefined) {
    await tx
      .deleteFrom('tenant_extension_install_secrets')
      .where('install_id', '=', installId)
      .where('secret_key', '=', deleteSecret)
      .execute();
  }
  if (status === 'uninstalled') {
    // Nobody can reach them any more, so nobody keeps them.
    await tx.deleteFrom('tenant_extension_install_secrets').where('install_id', '=', installId).execute();
    await tx.deleteFrom('install_storage').where('install_id', '=', installId).execute();
  }
  await tx
    .updateTable('tenant_extension_installs')
    .set({
      secrets_version: sql`secrets_version + 1`,
      updated_at: sql`now()`,
      ...(status === undefined ? {} : { status }),
      ...(release === undefined ? {} : { version: release.version, content_hash: release.contentHash }),
    })
    .where('install_id', '=', installId)
    .execute();
}

/** Versions never change, so the first snapshot of one stays. */
async function snapshotRelease(tx: Db, { extensionId, version, contentHash, manifest }: Release): Promise<void> {
  await tx
    .insertInto('extension_versions')
    .values({ extension_id: extensionId, version, content_hash: contentHash, manifest: JSON.stringify(manifest) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

async function upsertSecret(tx: Db, installId: string, key: string, secret: StoredSecret): Promise<void> {
  const sealed = secret.kind === 'sealed' ? secret : undefined;
  const columns = {
    kind: secret.kind,
    ciphertext: sealed?.ciphertext ?? null,
    key_id: sealed?.keyId ?? null,
    reference: secret.kind === 'reference' ? secret.reference : null,
  };
  await tx
    .insertInto('tenant_extension_install_secrets')
    .values({ install_id: installId, secret_key: key, ...columns })
    .onConflict((conflict) =>
      conflict.columns(['install_id', 'secret_key']).doUpdateSet({ ...columns, updated_at: sql`now()` }),
    )
    .execute();
}

const grantColumns = ({ capabilities, egress }: Grants) => ({ capabilities: [...capabilities], egress: [...egress] });
