import { randomBytes } from 'node:crypto';
import { compileSchemas, type Messages, type Secret, type ServiceName } from '@alga/contracts';
import { Bus } from './bus.ts';
import {
  ConfigError,
  integer,
  optionalSecretFile,
  optionalUrl,
  readConfig,
  type Settings,
  text,
  url,
} from './config.ts';
import { Health } from './health.ts';
import { createHttpServer, type HttpServer } from './http.ts';
import { KnownSecrets } from './known-secrets.ts';
import { createLogger, type Logger } from './logger.ts';
import { startTelemetry } from './telemetry.ts';

/** What the whole shutdown may take before the process ends regardless. */
const SHUTDOWN_DEADLINE_MS = 25_000;
/** The part of it that requests in flight may use. */
const DRAIN_DEADLINE_MS = 20_000;

interface CommonConfig {
  natsUrl: string;
  nkeySeed: Secret | undefined;
  httpHost: string;
  httpPort: number;
  instance: string;
  logLevel: string;
  otlpEndpoint: string | undefined;
}

const COMMON: Settings<CommonConfig> = {
  natsUrl: url('NATS_URL', ['nats', 'tls']),
  nkeySeed: optionalSecretFile('NATS_NKEY_SEED_FILE'),
  httpHost: text('HTTP_HOST', { fallback: '127.0.0.1' }),
  httpPort: integer('HTTP_PORT', { min: 0, max: 65_535 }),
  instance: text('SERVICE_INSTANCE', {
    fallback: randomBytes(4).toString('hex'),
    pattern: /^[a-z0-9-]{1,64}$/,
    shape: 'lower-case letters, digits and dashes',
  }),
  logLevel: text('LOG_LEVEL', {
    fallback: 'info',
    pattern: /^(debug|info|warn|error|fatal)$/,
    shape: 'debug, info, warn, error or fatal',
  }),
  otlpEndpoint: optionalUrl('OTEL_EXPORTER_OTLP_ENDPOINT', ['http', 'https']),
};

export interface ServiceContext<C> {
  readonly config: C;
  readonly instance: string;
  readonly logger: Logger;
  readonly bus: Bus;
  readonly http: HttpServer;
  readonly health: Health;
  readonly knownSecrets: KnownSecrets;
  /** Runs first of all when the process is to end, while requests are still taken: to tell peers to send no more. */
  onDrain(name: string, announce: () => Promise<void> | void): void;
  /** Runs after intake has stopped and requests in flight have ended, last registered first. */
  onStop(name: string, stop: () => Promise<void> | void): void;
}

interface ServiceDefinition<C> {
  readonly name: ServiceName;
  readonly settings: Settings<C>;
  /** Largest HTTP body that any route takes, in bytes. */
  readonly maxBodyBytes: (config: C) => number;
  /** Within what time a whole HTTP request must arrive, in ms; 15 s unless given. */
  readonly receiveTimeoutMs?: (config: C) => number;
  /** Schemas that this service reads or writes, compiled at start. */
  readonly schemas: readonly (keyof Messages)[];
  /** Connects adapters and binds routes and channels. Resolves when the service can do work. */
  start(context: ServiceContext<C>): Promise<void>;
}

/**
 * The life of a process: read config, start telemetry, connect, bind, listen; on SIGTERM or SIGINT: unready, stop intake,
 * finish what is in flight, close (I10). Never returns before the process is to end; a bad setting ends it with code 78.
 */
export async function runService<C>(
  definition: ServiceDefinition<C>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const { common, config } = configure(definition, env);
  const knownSecrets = new KnownSecrets();
  const logger = createLogger({
    service: definition.name,
    instance: common.instance,
    level: common.logLevel,
    knownSecrets,
  });
  const fatal = (err: unknown, message: string): never => {
    logger.fatal({ err }, message);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fatal(error, 'uncaught exception'));
  process.on('unhandledRejection', (reason) => fatal(reason, 'unhandled rejection'));
  const stopping = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stopping.resolve(signal));

  const telemetry = startTelemetry({
    service: definition.name,
    instance: common.instance,
    otlpEndpoint: common.otlpEndpoint,
  });
  const health = new Health();
  const http = createHttpServer({
    health,
    logger,
    maxBodyBytes: definition.maxBodyBytes(config),
    ...(definition.receiveTimeoutMs === undefined ? {} : { receiveTimeoutMs: definition.receiveTimeoutMs(config) }),
    handleMetrics: telemetry.handleMetrics,
  });
  const announcements: Hook[] = [];
  const hooks: Hook[] = [];
  let bus: Bus | undefined;
  try {
    compileSchemas([...definition.schemas, 'problem']);
    bus = await Bus.connect({
      url: common.natsUrl,
      service: definition.name,
      logger,
      ...(common.nkeySeed === undefined ? {} : { nkeySeed: common.nkeySeed.reveal() }),
    });
    const connected = bus;
    void bus.connection.closed().then((error) => {
      if (health.phase !== 'draining') fatal(error, 'the NATS connection closed for good');
    });
    health.add('nats', () => connected.connected);
    await definition.start({
      config,
      instance: common.instance,
      logger,
      bus,
      http,
      health,
      knownSecrets,
      onDrain: (name, run) => announcements.push({ name, run }),
      onStop: (name, run) => hooks.push({ name, run }),
    });
    const address = await http.listen({ host: common.httpHost, port: common.httpPort });
    health.phase = 'running';
    logger.info({ address }, 'ready');
  } catch (error) {
    fatal(error, 'start failed');
  }

  const signal = await stopping.promise;
  logger.info({ signal }, 'stopping');
  health.phase = 'draining';
  setTimeout(() => fatal(new Error('shutdown deadline'), 'shutdown took too long'), SHUTDOWN_DEADLINE_MS).unref();
  await Promise.all(announcements.map((hook) => runHook(hook, logger)));
  // Side by side: HTTP requests in flight may still need bus replies, and the other way round.
  // A client that stalls in the middle of its request would keep the server open for good.
  const cutOff = setTimeout(() => http.server.closeAllConnections(), DRAIN_DEADLINE_MS);
  await Promise.allSettled([http.close(), bus?.stopIntake(DRAIN_DEADLINE_MS)]);
  clearTimeout(cutOff);
  for (const hook of hooks.reverse()) await runHook(hook, logger);
  await bus?.close();
  await telemetry.close();
  logger.info('stopped');
  process.exit(0);
}

interface Hook {
  readonly name: string;
  readonly run: () => Promise<void> | void;
}

/** What one part does at the end must not keep the others from doing theirs. */
async function runHook({ name, run }: Hook, logger: Logger): Promise<void> {
  try {
    await run();
  } catch (err) {
    logger.error({ err, part: name }, 'could not stop cleanly');
  }
}

function configure<C>(definition: ServiceDefinition<C>, env: NodeJS.ProcessEnv) {
  const complaints: string[] = [];
  const attempt = <T>(settings: Settings<T>): T | undefined => {
    try {
      return readConfig(settings, env);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      complaints.push(error.message);
      return undefined;
    }
  };
  const common = attempt(COMMON);
  const config = attempt(definition.settings);
  if (common === undefined || config === undefined) {
    process.stderr.write(`${definition.name}: ${complaints.join('\n').replaceAll('\n', `\n${definition.name}: `)}\n`);
    process.exit(78); // EX_CONFIG of sysexits.h
  }
  return { common, config };
}
