import { randomBytes } from 'node:crypto';
import type { ServiceContext } from '@alga/chassis';
import type { Secret } from '@alga/contracts';
import { migrate, openPostgres } from '@alga/storage';
import { busInstallEvents } from './adapters/bus-install-events.ts';
import { busReleaseCatalogue } from './adapters/bus-release-catalogue.ts';
import { busSecretSealer } from './adapters/bus-secret-sealer.ts';
import { joseEnvelopeSigner } from './adapters/jose-envelope-signer.ts';
import { MIGRATIONS } from './adapters/migrations.ts';
import { PostgresAccess } from './adapters/postgres-access.ts';
import { PostgresDatabase } from './adapters/postgres-database.ts';
import { PostgresInstalls } from './adapters/postgres-installs.ts';
import type { ControlPlaneTables } from './adapters/postgres-schema.ts';
import { PostgresStorage } from './adapters/postgres-storage.ts';
import { adminRouter } from './inbound/admin-router.ts';
import { changeInstall } from './inbound/change-install.ts';
import { serveChannels } from './inbound/channels.ts';
import { installRoutes } from './inbound/install-routes.ts';
import { periodically } from './inbound/periodically.ts';
import { runnerRoutes } from './inbound/runner-routes.ts';
import { secretRoutes } from './inbound/secret-routes.ts';
import { tenantRoutes } from './inbound/tenant-routes.ts';

export interface ControlPlaneConfig {
  readonly databaseUrl: string;
  /** Ed25519 private JWK as JSON text. */
  readonly envelopeSigningKey: Secret;
  readonly brokerSealPublicKey: { readonly kty: 'OKP'; readonly crv: 'X25519'; readonly x: string };
  readonly internalToken: Secret;
  readonly operatorKey: Secret;
}

/** One read per call of an extension, each about a millisecond; more connections only cost Postgres memory. */
const MAX_CONNECTIONS = 10;
/** Readiness must also recover when nobody asks this process anything. */
const DATABASE_PROBE_MS = 2_000;
const STORAGE_SWEEP_MS = 60_000;

/** Wires the service: adapters to stores, stores to routes and channels. Resolves when it can do work. */
export async function startControlPlane(context: ServiceContext<ControlPlaneConfig>): Promise<void> {
  const { config, bus, http, health, logger, knownSecrets, onStop } = context;
  for (const secret of [config.internalToken, config.operatorKey]) knownSecrets.add(secret.reveal());

  const pool = await openPostgres<ControlPlaneTables>({
    url: config.databaseUrl,
    maxConnections: MAX_CONNECTIONS,
    onError: (err) => logger.warn({ err }, 'an idle database connection broke'),
  });
  const database = new PostgresDatabase(pool);
  onStop('database', () => database.close());
  await migrate(pool, MIGRATIONS);

  const access = new PostgresAccess(database, logger);
  const installs = new PostgresInstalls(database);
  const storage = new PostgresStorage(database);
  await access.putOperatorKey(config.operatorKey.reveal());

  const nowMs = () => Date.now();
  const resolve = {
    find: (tenantId: string, extensionId: string) => installs.find(tenantId, extensionId),
    signer: await joseEnvelopeSigner(config.envelopeSigningKey),
    nowMs,
    random: randomBytes,
  };
  const sealer = await busSecretSealer(bus, config.brokerSealPublicKey);
  const catalogue = busReleaseCatalogue(bus);
  const change = changeInstall(installs, busInstallEvents(bus, logger));

  const router = adminRouter(http, access);
  tenantRoutes(router, { access, nowMs, random: randomBytes });
  installRoutes(router, { access, installs, catalogue, change, random: randomBytes });
  secretRoutes(router, { installs, sealer, change, knownSecrets });
  runnerRoutes(http, resolve, config.internalToken);
  serveChannels(bus, { resolve, access, installs, storage });

  health.add('postgres', () => database.answers);
  const probe = periodically('database probe', DATABASE_PROBE_MS, () => database.probe(), logger);
  const sweep = periodically('storage sweep', STORAGE_SWEEP_MS, () => storage.sweep(), logger);
  onStop('periodic work', async () => {
    await Promise.all([probe.stop(), sweep.stop()]);
  });
}
