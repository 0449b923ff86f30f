import type { ColumnType, Generated } from 'kysely';

type Timestamp = Date;
type Defaulted<T> = ColumnType<T, T | undefined, T>;

/** The rows of database `control_plane`, as migrations.ts makes them. */
export interface ControlPlaneTables {
  tenants: {
    tenant_id: string;
    display_name: string;
    created_at: Generated<Timestamp>;
    updated_at: Generated<Timestamp>;
  };
  api_keys: {
    key_id: string;
    key_sha256: string;
    display_prefix: string;
    name: string;
    tenant_id: string | null;
    scopes: string[];
    created_at: Generated<Timestamp>;
    expires_at: Timestamp | null;
    revoked_at: Defaulted<Timestamp | null>;
    last_used_at: Defaulted<Timestamp | null>;
  };
  extension_versions: {
    extension_id: string;
    version: string;
    content_hash: string;
    /** Written as JSON text, read as its value. */
    manifest: ColumnType<unknown, string, never>;
    created_at: Generated<Timestamp>;
  };
  tenant_extension_installs: {
    install_id: string;
    tenant_id: string;
    extension_id: string;
    version: string;
    content_hash: string;
    status: 'active' | 'suspended' | 'uninstalled';
    secrets_version: Generated<number>;
    created_at: Generated<Timestamp>;
    updated_at: Generated<Timestamp>;
  };
  tenant_extension_install_config: {
    install_id: string;
    config: string;
    config_version: Generated<number>;
    updated_at: Generated<Timestamp>;
  };
  tenant_extension_install_grants: {
    install_id: string;
    capabilities: string[];
    egress: string[];
    updated_at: Generated<Timestamp>;
  };
  tenant_extension_install_secrets: {
    install_id: string;
    secret_key: string;
    kind: 'sealed' | 'reference';
    ciphertext: string | null;
    key_id: string | null;
    reference: string | null;
    updated_at: Generated<Timestamp>;
  };
  install_storage: {
    install_id: string;
    key: string;
    value: Buffer;
    revision: number;
    expires_at: Timestamp | null;
    updated_at: Generated<Timestamp>;
  };
  install_storage_usage: { install_id: string; keys: Generated<number>; bytes: Generated<number> };
}
