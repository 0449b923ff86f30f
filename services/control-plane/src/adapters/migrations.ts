import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { MAX_BYTES_PER_INSTALL, MAX_KEYS_PER_INSTALL, MAX_VALUE_BYTES } from '../core/storage-limits.ts';

/** Names that Postgres reports when a check refuses a row; the storage adapter knows them. */
export const QUOTA_CHECKS = { keys: 'install_storage_usage_keys', bytes: 'install_storage_usage_bytes' } as const;

const STATEMENTS = [
  `create table tenants (
     tenant_id text primary key,
     display_name text not null,
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now()
   )`,
  `create table api_keys (
     key_id text primary key,
     key_sha256 text not null unique check (key_sha256 ~ '^[0-9a-f]{64}$'),
     display_prefix text not null,
     name text not null,
     tenant_id text references tenants,
     scopes text[] not null check (scopes <@ array['invoke', 'admin', 'publish', 'operator'] and cardinality(scopes) > 0),
     created_at timestamptz not null default now(),
     expires_at timestamptz,
     revoked_at timestamptz,
     last_used_at timestamptz,
     constraint api_keys_operator_has_no_tenant check ((tenant_id is null) = ('operator' = any (scopes)))
   )`,
  `create index api_keys_by_tenant on api_keys (tenant_id, created_at)`,
  // The manifest is json, not jsonb: it is read as a whole, and stays byte for byte what was installed.
  `create table extension_versions (
     extension_id text not null,
     version text not null,
     content_hash text not null check (content_hash ~ '^sha256:[0-9a-f]{64}$'),
     manifest json not null,
     created_at timestamptz not null default now(),
     primary key (extension_id, version, content_hash)
   )`,
  `create table tenant_extension_installs (
     install_id text primary key,
     tenant_id text not null references tenants,
     extension_id text not null,
     version text not null,
     content_hash text not null,
     status text not null check (status in ('active', 'suspended', 'uninstalled')),
     secrets_version bigint not null default 1 check (secrets_version > 0),
     created_at timestamptz not null default now(),
     updated_at timestamptz not null default now(),
     foreign key (extension_id, version, content_hash) references extension_versions
   )`,
  // One per tenant and extension; also the index of the hot read.
  `create unique index tenant_extension_installs_current
     on tenant_extension_installs (tenant_id, extension_id) where status <> 'uninstalled'`,
  `create table tenant_extension_install_config (
     install_id text primary key references tenant_extension_installs,
     config text not null,
     config_version bigint not null default 1 check (config_version > 0),
     updated_at timestamptz not null default now()
   )`,
  `create table tenant_extension_install_grants (
     install_id text primary key references tenant_extension_installs,
     capabilities text[] not null,
     egress text[] not null,
     updated_at timestamptz not null default now()
   )`,
  // Exactly one form per row, and neither form has room for a plaintext (I3).
  `create table tenant_extension_install_secrets (
     install_id text not null references tenant_extension_installs,
     secret_key text not null,
     kind text not null,
     ciphertext text,
     key_id text,
     reference text,
     updated_at timestamptz not null default now(),
     primary key (install_id, secret_key),
     constraint install_secrets_one_form check (
       (kind = 'sealed' and ciphertext is not null and key_id is not null and reference is null) or
       (kind = 'reference' and reference is not null and ciphertext is null and key_id is null)
     )
   )`,
  `create index install_secrets_by_reference on tenant_extension_install_secrets (reference) where reference is not null`,
  `create sequence install_storage_revision`,
  `create table install_storage (
     install_id text not null references tenant_extension_installs,
     key text collate "C" not null check (octet_length(key) <= 512),
     value bytea not null check (octet_length(value) <= ${MAX_VALUE_BYTES}),
     revision bigint not null,
     expires_at timestamptz,
     updated_at timestamptz not null default now(),
     primary key (install_id, key)
   )`,
  `create index install_storage_expiry on install_storage (expires_at) where expires_at is not null`,
  `create table install_storage_usage (
     install_id text primary key references tenant_extension_installs,
     keys bigint not null default 0 constraint ${QUOTA_CHECKS.keys} check (keys between 0 and ${MAX_KEYS_PER_INSTALL}),
     bytes bigint not null default 0 constraint ${QUOTA_CHECKS.bytes} check (bytes between 0 and ${MAX_BYTES_PER_INSTALL})
   )`,
  // Usage is counted here rather than summed up at each put: exact under concurrency, and a put stays one statement.
  // Per statement, after its rows: a put and a sweep then lock rows before usage, both, and cannot wait for each other.
  `create function count_install_storage() returns trigger language plpgsql as $body$
   begin
     if tg_op = 'INSERT' then
       update install_storage_usage u set keys = u.keys + d.keys, bytes = u.bytes + d.bytes
         from (select install_id, count(*) as keys, sum(octet_length(value)) as bytes from added group by 1) d
         where u.install_id = d.install_id;
     elsif tg_op = 'DELETE' then
       update install_storage_usage u set keys = u.keys - d.keys, bytes = u.bytes - d.bytes
         from (select install_id, count(*) as keys, sum(octet_length(value)) as bytes from removed group by 1) d
         where u.install_id = d.install_id;
     else
       update install_storage_usage u set bytes = u.bytes + d.bytes
         from (select install_id, sum(bytes) as bytes from (
                 select install_id, octet_length(value) as bytes from added
                 union all select install_id, -octet_length(value) from removed) both_sides group by 1) d
         where u.install_id = d.install_id;
     end if;
     return null;
   end $body$`,
  `create trigger install_storage_added after insert on install_storage
     referencing new table as added for each statement execute function count_install_storage()`,
  `create trigger install_storage_removed after delete on install_storage
     referencing old table as removed for each statement execute function count_install_storage()`,
  `create trigger install_storage_replaced after update on install_storage
     referencing old table as removed new table as added for each statement execute function count_install_storage()`,
];

/** In order of their names; one that has run anywhere never changes again. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-installs': {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
    },
  },
};
