import { type Generated, type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The broker's own database. bigint columns arrive as numbers (@alga/storage). */
export interface BrokerDatabase {
  redemption_proofs: { jti: string; expires_at: number };
  audit_log: {
    seq: number;
    id: string;
    at: number;
    kind: string;
    tenant_id: string | null;
    install_id: string | null;
    extension_id: string | null;
    key_names: string;
    secrets_version: number | null;
    request_id: string | null;
    runner_id: string | null;
    outcome: string;
    prev_hash: string;
    hash: string;
  };
  audit_head: { one: Generated<boolean>; seq: number; hash: string };
  webhook_events: {
    source: string;
    event_id: string;
    state: 'handling' | 'handled' | 'failed';
    received_at: Generated<Date>;
    claimed_at: Generated<Date>;
  };
}

const initial: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // Milliseconds by the broker's clock, which judged the proof.
    await sql`create table redemption_proofs (jti text primary key, expires_at bigint not null)`.execute(db);
    await sql`create index redemption_proofs_by_expiry on redemption_proofs (expires_at)`.execute(db);
    await sql`create table audit_log (
      seq bigint primary key,
      id text not null unique,
      at bigint not null,
      kind text not null check (kind in ('redemption', 'access', 'rotation')),
      tenant_id text,
      install_id text,
      extension_id text,
      key_names text not null,
      secrets_version bigint,
      request_id text,
      runner_id text,
      outcome text not null,
      prev_hash char(64) not null,
      hash char(64) not null unique
    )`.execute(db);
    await sql`create index audit_log_by_install on audit_log (tenant_id, install_id, seq)`.execute(db);
    await sql`create index audit_log_by_request on audit_log (request_id, seq)`.execute(db);
    // One row, locked by whoever appends: two writers cannot fork the chain.
    await sql`create table audit_head (
      one boolean primary key default true check (one),
      seq bigint not null,
      hash char(64) not null
    )`.execute(db);
    await sql`insert into audit_head (seq, hash) values (0, repeat('0', 64))`.execute(db);
    await sql`create table webhook_events (
      source text not null,
      event_id text not null,
      state text not null check (state in ('handling', 'handled', 'failed')),
      received_at timestamptz not null default now(),
      claimed_at timestamptz not null default now(),
      primary key (source, event_id)
    )`.execute(db);
    await sql`create index webhook_events_by_age on webhook_events (received_at)`.execute(db);
  },
};

export const MIGRATIONS: Readonly<Record<string, Migration>> = { '0001-initial': initial };
