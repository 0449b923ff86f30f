import { runService } from '@alga/chassis';
import { BUNDLE_BUCKET, channels } from '@alga/contracts';
import { migrate, openBlobStore, openPostgres } from '@alga/storage';
import { jcoComponentCompiler } from './adapters/jco-component-compiler.ts';
import { MIGRATIONS, type RegistryDatabase } from './adapters/postgres-schema.ts';
import { PostgresVersionStore } from './adapters/postgres-version-store.ts';
import { zstdDecompressor } from './adapters/zstd-decompressor.ts';
import { settings } from './config.ts';
import { type PublishingParts, publish } from './core/publish.ts';
import { bindArtifactChannel } from './inbound/artifact-channel.ts';
import { authenticator } from './inbound/authenticate.ts';
import { bindCatalogueRoutes } from './inbound/catalogue-routes.ts';
import { bindPublishRoutes } from './inbound/publish-routes.ts';

/** Largest compressed bundle, in bytes: a StarlingMonkey guest has about 4 MiB. */
const MAX_BUNDLE_BYTES = 64 * 1024 * 1024;
const MAX_CONNECTIONS = 8;

await runService({
  name: 'registry',
  settings,
  maxBodyBytes: () => MAX_BUNDLE_BYTES,
  schemas: [
    'manifest',
    'artifact-resolve-request',
    'artifact-resolve-reply',
    'event-extension-published',
    'apikey-verify-reply',
  ],
  async start({ config, logger, bus, http, knownSecrets, onStop }) {
    knownSecrets.add(config.signingKey.d);
    knownSecrets.add(decodeURIComponent(new URL(config.databaseUrl).password));
    const db = await openPostgres<RegistryDatabase>({
      url: config.databaseUrl,
      maxConnections: MAX_CONNECTIONS,
      onError: (err) => logger.warn({ err }, 'a database connection broke'),
    });
    onStop('postgres', () => db.destroy());
    await migrate(db, MIGRATIONS);
    await bus.ensureStreams('events');

    const versions = new PostgresVersionStore(db);
    const parts: PublishingParts = {
      decompressor: zstdDecompressor,
      compiler: jcoComponentCompiler,
      bundles: await openBlobStore(bus.connection, BUNDLE_BUCKET, { create: true }),
      versions,
      signingKey: config.signingKey,
      legacyUntil: config.legacyUploadsUntil,
      announce: ({ extensionId, version, contentHash, publishedAt }) =>
        bus.publish(
          channels.extensionPublished,
          { extensionId, version, contentHash, at: publishedAt.getTime() },
          { extensionId },
        ),
      now: () => new Date(),
      clock: () => performance.now(),
    };
    const authenticate = authenticator(bus);
    bindArtifactChannel(bus, versions);
    bindCatalogueRoutes({ http, authenticate, versions });
    await bindPublishRoutes({
      http,
      logger,
      authenticate,
      publish: (upload, publisher, report) => publish(upload, publisher, parts, report),
    });
  },
});
