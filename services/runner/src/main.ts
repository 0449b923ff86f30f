import { randomBytes } from 'node:crypto';
import { runService } from '@alga/chassis';
import { BUNDLE_BUCKET } from '@alga/contracts';
import { openBlobStore } from '@alga/storage';
import { FolderArtifactCache } from './adapters/folder-artifact-cache.ts';
import { createJwsOpener } from './adapters/jose-jws.ts';
import { artifactStore, envelopeStore, secretsStore } from './adapters/lru-stores.ts';
import { createArtifactFetch } from './adapters/nats-artifacts.ts';
import { NatsAudit } from './adapters/nats-audit.ts';
import { startHeartbeat } from './adapters/nats-heartbeat.ts';
import { createRedeemer } from './adapters/nats-redemption.ts';
import { createObserver } from './adapters/otel-observer.ts';
import { openSharedEntries } from './adapters/redis-entries.ts';
import { createGuestRunner } from './capabilities/guest-runner.ts';
import { createHttpCapability } from './capabilities/http.ts';
import { settings } from './config.ts';
import { createArtifactSource } from './core/artifacts.ts';
import { createEnvelopeVerifier } from './core/envelope.ts';
import { Executor } from './core/execute.ts';
import { SecretsCache } from './core/secrets-cache.ts';
import { createEngine } from './engine/engine.ts';
import { listenForChanges } from './inbound/events.ts';
import { serveExecute } from './inbound/execute-bus.ts';
import { serveExecuteHttp } from './inbound/execute-http.ts';

/** A frame on HTTP is what fits a NATS message. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** A tenant that pauses for longer pays for a new process. */
const SANDBOX_IDLE_MS = 60_000;
/** Glue and lifted values; the guests' own memory is not part of it. */
const SANDBOX_HEAP_MB = 256;
const AUDIT_FLUSH_MS = 3_000;

await runService({
  name: 'runner',
  settings,
  maxBodyBytes: () => MAX_FRAME_BYTES,
  schemas: ['execute-request-head', 'execute-reply-head', 'envelope-claims', 'redeemed-secrets', 'audit-secret-access'],
  async start({ config, logger, bus, http, health, knownSecrets, onDrain, onStop }) {
    knownSecrets.add(config.internalToken.reveal());
    const { runnerId, maxInFlight } = config;
    const now = () => performance.now();
    const nowMs = () => Date.now();
    const newId = () => randomBytes(16).toString('base64url');
    const observer = createObserver(logger, () => executor.inFlight);
    const shared = openSharedEntries(config.redisUrl, logger);
    onStop('redis', () => shared.close());
    const engine = createEngine({
      maxSandboxes: config.maxSandboxes,
      // One tenant whose guests all wait leaves the others room.
      maxInFlightPerSandbox: Math.min(config.maxInFlightPerTenant, maxInFlight),
      idleMs: SANDBOX_IDLE_MS,
      heapMb: SANDBOX_HEAP_MB,
      sandboxMemoryMb: config.maxSandboxMemoryMb,
      totalMemoryMb: config.maxTotalMemoryMb,
      onFault: ({ kind, ...fault }) => {
        // Under `err` an error is written without its foreign properties (I3).
        const { error: err, ...rest } = { error: undefined, ...fault };
        logger.error(err === undefined ? rest : { ...rest, err }, kind);
      },
    });
    onStop('engine', () => engine.close());
    logger.info(engine.confinement, 'sandboxes are confined');
    const egress = createHttpCapability({ privateOrigins: config.egressPrivateOrigins });
    onStop('egress', () => egress.close());
    const audit = new NatsAudit(bus, logger, (count) => observer.auditDropped(count));
    onStop('audit', () => audit.stop(AUDIT_FLUSH_MS));

    const redeem = createRedeemer({
      bus,
      runnerId,
      identity: config.identity,
      openReply: createJwsOpener(config.brokerKeys),
      nowMs,
      onFault: (err) => logger.error({ err }, 'redemption failed'),
    });
    const secrets = new SecretsCache({
      redeem,
      entries: secretsStore(knownSecrets),
      shared,
      now,
      randomBytes,
      onFault: (reason) => logger.error({ reason }, 'secrets refused'),
    });
    const blobs = await openBlobStore(bus.connection, BUNDLE_BUCKET, { create: false });
    const executor = new Executor({
      runnerId,
      maxInFlight,
      now,
      observer,
      ceilings: {
        timeoutMs: config.maxGuestTimeoutMs,
        cpuMs: config.maxGuestCpuMs,
        memoryMb: config.maxGuestMemoryMb,
      },
      verifyEnvelope: createEnvelopeVerifier({
        open: createJwsOpener(config.envelopeKeys),
        verified: envelopeStore(),
        nowMs,
      }),
      loadArtifact: createArtifactSource(
        createArtifactFetch({
          bus,
          blobs,
          cache: new FolderArtifactCache({
            folder: config.artifactCacheDir,
            maxBytes: config.artifactCacheMb * 1_048_576,
            nowMs,
            onFault: (err) => logger.warn({ err }, 'artifacts are not kept on disk'),
          }),
          publicKeys: config.artifactKeys,
          onRejected: (contentHash, reason) => logger.error({ contentHash, reason }, 'artifact rejected'),
        }),
        artifactStore(),
      ),
      runGuest: createGuestRunner({
        engine,
        bus,
        http: egress,
        lookupSecrets: async (envelope, requestId) => {
          const started = now();
          const lookup = await secrets.lookup(envelope, requestId);
          observer.secretsLookedUp(lookup, now() - started);
          return lookup;
        },
        recordAudit: (event) => audit.record(event),
        knownSecrets,
        logger,
        runnerId,
        newId,
        nowMs,
        onHostCall: observer.hostCalled,
      }),
    });
    listenForChanges(bus, secrets);
    serveExecuteHttp(http, executor, config.internalToken);
    serveExecute(bus, executor, runnerId);
    const heartbeat = startHeartbeat({
      bus,
      runnerId,
      capacity: maxInFlight,
      inFlight: () => executor.inFlight,
      draining: () => health.phase === 'draining',
      firstSequence: Date.now(),
      logger,
    });
    onDrain('heartbeat', () => heartbeat.beat());
    onStop('heartbeat', () => heartbeat.stop());
  },
});
