import type { ResolvedManifest, SecretsChangedReply } from '@alga/contracts';
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import type { Planner } from '../core/change.ts';
import type { Install, InstallDetails, SecretState, StoredSecret } from '../core/install.ts';
import { refuse } from '../core/refusal.ts';
import type { ChangeOutcome, InstallStore } from '../ports/install-store.ts';
import type { PostgresDatabase } from './postgres-database.ts';
import { applyPatch, insertInstall } from './postgres-install-writes.ts';
import type { ControlPlaneTables } from './postgres-schema.ts';

type Db = Kysely<ControlPlaneTables>;

/** Two admins installing the same extension at once: the one that comes second looks again. */
const MAX_CREATE_ATTEMPTS = 3;

// Written out rather than as a parameter: only then does the planner see that the partial index fits.
const NOT_UNINSTALLED = sql<boolean>`i.status <> 'uninstalled'`;

export class PostgresInstalls implements InstallStore {
  readonly #database: PostgresDatabase;

  constructor(database: PostgresDatabase) {
    this.#database = database;
  }

  async find(tenantId: string, extensionId: string): Promise<Install | undefined> {
    const row = await this.#database.run((db) => current(db, tenantId, extensionId).executeTakeFirst());
    return row === undefined ? undefined : toInstall(row);
  }

  async details(tenantId: string, extensionId: string): Promise<InstallDetails | undefined> {
    const row = await this.#database.run((db) =>
      current(db, tenantId, extensionId).select(secretStates).executeTakeFirst(),
    );
    return row === undefined ? undefined : toDetails(row);
  }

  async list(tenantId: string): Promise<readonly InstallDetails[]> {
    const rows = await this.#database.run((db) =>
      installs(db)
        .where('i.tenant_id', '=', tenantId)
        .where(NOT_UNINSTALLED)
        .orderBy('i.extension_id')
        .select(secretStates)
        .execute(),
    );
    return rows.map(toDetails);
  }

  async material(tenantId: string, installId: string) {
    const row = await this.#database.run((db) =>
      installs(db)
        .where('i.install_id', '=', installId)
        .where('i.tenant_id', '=', tenantId)
        .select((eb) =>
          jsonArrayFrom(
            eb
              .selectFrom('tenant_extension_install_secrets as s')
              .select(['s.secret_key', 's.ciphertext', 's.key_id', 's.reference'])
              .whereRef('s.install_id', '=', 'i.install_id'),
          ).as('stored'),
        )
        .executeTakeFirst(),
    );
    if (row === undefined) return undefined;
    return { install: toInstall(row), secrets: new Map(row.stored.map((s) => [s.secret_key, toStoredSecret(s)])) };
  }

  async change(tenantId: string, extensionId: string, plan: Planner): Promise<ChangeOutcome> {
    for (let attempt = 1; attempt <= MAX_CREATE_ATTEMPTS; attempt++) {
      const outcome = await this.#database.transaction((tx) => changeOnce(tx, tenantId, extensionId, plan));
      if (outcome !== undefined) return outcome;
    }
    return refuse('conflict', 'Somebody else installs and uninstalls this extension at this moment.');
  }

  raiseEpochs(references: readonly string[]): Promise<SecretsChangedReply['installs']> {
    // Locked in one order, so that two notifications about the same installs cannot wait for each other. One statement is one
    // transaction; an install that is suspended moves too, so that resuming it cannot revive an old value.
    return this.#database.run(async (db) => {
      const { rows } = await sql<{ tenantId: string; installId: string; secretsVersion: number }>`
        with affected as (
          select i.install_id from tenant_extension_installs i
          where ${NOT_UNINSTALLED} and i.install_id in (
            select s.install_id from tenant_extension_install_secrets s where s.reference = any (${[...references]}::text[])
          )
          order by i.install_id for no key update
        )
        update tenant_extension_installs i set secrets_version = i.secrets_version + 1, updated_at = now()
        from affected where i.install_id = affected.install_id
        returning i.tenant_id as "tenantId", i.install_id as "installId", i.secrets_version as "secretsVersion"
      `.execute(db);
      return rows;
    });
  }
}

/** Nothing: another transaction created the install in between; look again. */
async function changeOnce(
  tx: Db,
  tenantId: string,
  extensionId: string,
  plan: Planner,
): Promise<ChangeOutcome | undefined> {
  const tenant = await tx
    .selectFrom('tenants')
    .select('tenant_id')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst();
  if (tenant === undefined) return refuse('not_found', 'There is no such tenant.');
  // Lock first, read second: a locking join would show the other tables as they were before the wait.
  const locked = await tx
    .selectFrom('tenant_extension_installs as i')
    .select('i.install_id')
    .where('i.tenant_id', '=', tenantId)
    .where('i.extension_id', '=', extensionId)
    .where(NOT_UNINSTALLED)
    .forNoKeyUpdate()
    .executeTakeFirst();
  const before = locked === undefined ? undefined : await detailsById(tx, locked.install_id);
  const planned = plan(before);
  switch (planned.kind) {
    case 'refused':
      return planned;
    case 'unchanged':
      return before === undefined ? refuse('extension_not_found') : { kind: 'unchanged', install: before };
    case 'create': {
      if (!(await insertInstall(tx, tenantId, planned.install))) return undefined;
      const install = await detailsById(tx, planned.install.installId);
      return { kind: 'changed', change: 'installed', install };
    }
    case 'update': {
      if (before === undefined) throw new TypeError('an update was planned for an install that is not there');
      await applyPatch(tx, before.installId, planned.patch);
      return { kind: 'changed', change: planned.change, install: await detailsById(tx, before.installId) };
    }
  }
}

const installs = (db: Db) =>
  db
    .selectFrom('tenant_extension_installs as i')
    .innerJoin('extension_versions as v', (join) =>
      join
        .onRef('v.extension_id', '=', 'i.extension_id')
        .onRef('v.version', '=', 'i.version')
        .onRef('v.content_hash', '=', 'i.content_hash'),
    )
    .innerJoin('tenant_extension_install_config as c', 'c.install_id', 'i.install_id')
    .innerJoin('tenant_extension_install_grants as g', 'g.install_id', 'i.install_id')
    .select([
      'i.tenant_id',
      'i.install_id',
      'i.extension_id',
      'i.version',
      'i.content_hash',
      'i.status',
      'i.secrets_version',
      'i.created_at',
      'i.updated_at',
      'v.manifest',
      'c.config',
      'c.config_version',
      'g.capabilities',
      'g.egress',
    ]);

const current = (db: Db, tenantId: string, extensionId: string) =>
  installs(db).where('i.tenant_id', '=', tenantId).where('i.extension_id', '=', extensionId).where(NOT_UNINSTALLED);

const detailsById = async (db: Db, installId: string): Promise<InstallDetails> =>
  toDetails(await installs(db).where('i.install_id', '=', installId).select(secretStates).executeTakeFirstOrThrow());

type WithInstall = ControlPlaneTables & { i: ControlPlaneTables['tenant_extension_installs'] };

const secretStates = (eb: ExpressionBuilder<WithInstall, 'i'>) =>
  jsonArrayFrom(
    eb
      .selectFrom('tenant_extension_install_secrets as s')
      .select([
        's.secret_key',
        's.kind',
        's.updated_at',
        sql<number>`coalesce(length(s.ciphertext), 0)`.as('ciphertext_chars'),
      ])
      .whereRef('s.install_id', '=', 'i.install_id'),
  ).as('secrets');

type InstallRow = Awaited<ReturnType<ReturnType<typeof current>['executeTakeFirstOrThrow']>>;

const toInstall = (row: InstallRow): Install => ({
  tenantId: row.tenant_id,
  installId: row.install_id,
  release: {
    extensionId: row.extension_id,
    version: row.version,
    contentHash: row.content_hash,
    manifest: row.manifest as ResolvedManifest, // written by insertInstall and applyPatch, resolved
  },
  status: row.status,
  secretsVersion: row.secrets_version,
  config: row.config,
  configVersion: row.config_version,
  grants: { capabilities: row.capabilities, egress: row.egress },
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

const toDetails = (
  row: InstallRow & {
    secrets: { secret_key: string; kind: SecretState['kind']; updated_at: Date | string; ciphertext_chars: number }[];
  },
): InstallDetails => ({
  ...toInstall(row),
  secrets: row.secrets.map((secret) => ({
    key: secret.secret_key,
    kind: secret.kind,
    ciphertextChars: secret.ciphertext_chars,
    updatedAt: new Date(secret.updated_at), // inside a JSON array a timestamp is text
  })),
});

function toStoredSecret(row: {
  ciphertext: string | null;
  key_id: string | null;
  reference: string | null;
}): StoredSecret {
  if (row.reference !== null) return { kind: 'reference', reference: row.reference };
  return { kind: 'sealed', ciphertext: row.ciphertext ?? '', keyId: row.key_id ?? '' }; // the table's check: both are there
}
