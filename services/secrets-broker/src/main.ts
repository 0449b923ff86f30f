import { randomUUID } from 'node:crypto';
import { runService, type ServiceContext } from '@alga/chassis';
import { migrate, openPostgres } from '@alga/storage';
import { ChainedProvider } from './adapters/chained-provider.ts';
import { RedemptionSealer, ValueOpener, verifySignature } from './adapters/jose-tokens.ts';
import { ControlPlane } from './adapters/nats-control-plane.ts';
import { PostgresHealth } from './adapters/postgres-health.ts';
import { PostgresLedger } from './adapters/postgres-ledger.ts';
import { type BrokerDatabase, MIGRATIONS } from './adapters/postgres-schema.ts';
import { PostgresWebhookEvents } from './adapters/postgres-webhook-events.ts';
import { type BrokerConfig, settings } from './config.ts';
import type { RedemptionParts } from './core/redemption.ts';
import { RefusalCap } from './core/refusal-cap.ts';
import type { RotationParts } from './core/rotation.ts';
import { sourceValues } from './core/source-values.ts';
import { consumeAccesses } from './inbound/audit-consumer.ts';
import { addAuditRoutes } from './inbound/audit-routes.ts';
import { every } from './inbound/periodic.ts';
import { RecentSecrets } from './inbound/recent-secrets.ts';
import { serveRedemptions } from './inbound/redeem.ts';
import { serveSealing } from './inbound/seal.ts';
import { addWebhookRoutes } from './inbound/webhook-routes.ts';
import { configuredProviders } from './providers.ts';

/** The largest body any route takes: a notification of 25 references is below 16 KiB. */
const MAX_BODY_BYTES = 64 * 1024;
/** Redemptions are serialised by the chain's head: more connections would only wait there. */
const MAX_CONNECTIONS = 10;
const HEALTH_EVERY_MS = 2_000;
const PRUNE_EVERY_MS = 60_000;
/** For all sources of one notification together. */
const PROBE_DEADLINE_MS = 1_800;

async function start({ config, bus, http, health, logger, knownSecrets, onStop }: ServiceContext<BrokerConfig>) {
  const db = await openPostgres<BrokerDatabase>({
    url: config.databaseUrl,
    maxConnections: MAX_CONNECTIONS,
    onError: (err) => logger.warn({ err }, 'a database connection broke'),
  });
  onStop('postgres', () => db.destroy());
  await migrate(db, MIGRATIONS);
  await bus.ensureStreams('events', 'audit');

  const now = Date.now;
  const warn = (err: unknown, message: string) => logger.warn({ err }, message);
  const recent = new RecentSecrets(knownSecrets);
  onStop('recent secrets', () => recent.stop());
  const remember = recent.remember.bind(recent);
  const ledger = new PostgresLedger(db);
  const events = new PostgresWebhookEvents(db);
  const controlPlane = new ControlPlane(bus);
  const provider = new ChainedProvider(configuredProviders(config, process.env));
  const { keyring } = config;

  const redemption: RedemptionParts = {
    now,
    warn,
    remember,
    keyring,
    envelopeKeys: config.envelopeKeys,
    runnerKeys: config.runnerKeys,
    refusals: new RefusalCap(),
    newId: randomUUID,
    verify: verifySignature,
    material: (ids, signal) => controlPlane.material(ids, signal),
    values: (material, signal) => sourceValues(material, keyring, (reference) => provider.read(reference, signal)),
    record: (entry, proof) => ledger.recordRedemption(entry, proof),
    recordRefusal: (entry) => ledger.append([entry]),
    seal: sealer(config),
  };
  serveRedemptions(bus, redemption, config.redemptionTimeoutMs);
  const opener = new ValueOpener(config.sealKey);
  serveSealing(bus, { keyring, remember, open: (jwe) => opener.open(jwe) });
  await consumeAccesses(bus, (entries) => ledger.append(entries));

  const rotation: RotationParts = {
    now,
    warn,
    chainFolder: config.providers.includes('vault') ? config.vaultChainFolder : undefined,
    claim: (event) => events.claim(event),
    finish: (event, state) => events.finish(event, state),
    probe: async (reference) => {
      const reading = await provider.read(reference, AbortSignal.timeout(PROBE_DEADLINE_MS));
      if (reading.outcome === 'found') remember(reading.value);
    },
    changed: (references, eventId) => controlPlane.changed(references, eventId),
    publish: (event) => controlPlane.rotated(event),
    audit: (entries) => ledger.append(entries),
  };
  await addWebhookRoutes(http, { sources: config.webhookSources, rotation });
  addAuditRoutes(http, {
    verifyKey: (apiKey) => controlPlane.verifyKey(apiKey),
    read: (filter) => ledger.read(filter),
    verify: () => ledger.verify(),
  });

  const postgres = new PostgresHealth(db);
  health.add('postgres', () => postgres.answers);
  onStop(
    'health',
    every(HEALTH_EVERY_MS, 'postgres health', logger, () => postgres.check()),
  );
  onStop(
    'proofs',
    every(PRUNE_EVERY_MS, 'prune proofs', logger, () => ledger.pruneProofs(now())),
  );
  onStop(
    'events',
    every(PRUNE_EVERY_MS, 'prune events', logger, () => events.prune()),
  );
}

function sealer({ signingKey }: BrokerConfig): RedemptionParts['seal'] {
  const made = new RedemptionSealer(signingKey);
  return (claims, sealTo) => made.seal(claims, sealTo);
}

await runService<BrokerConfig>({
  name: 'secrets-broker',
  settings,
  maxBodyBytes: () => MAX_BODY_BYTES,
  schemas: [
    'apikey-verify-reply',
    'apikey-verify-request',
    'audit-query',
    'audit-secret-access',
    'envelope-claims',
    'event-secrets-rotated',
    'redeem-proof-claims',
    'secret-plaintext',
    'secrets-changed-reply',
    'secrets-changed-request',
    'secrets-material-reply',
    'secrets-material-request',
    'secrets-redeem-reply',
    'secrets-redeem-request',
    'secrets-seal-reply',
    'secrets-seal-request',
    'webhook-generic',
  ],
  start,
});
