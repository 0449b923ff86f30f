/** The whole platform on one machine, as a library: real servers, keys and supervised processes for the demo, development and tests. */
export { createDatabase, dropDatabase } from './databases.ts';
export { freePort } from './free-port.ts';
export { type BusIdentity, busIdentities, type GeneratedKeys, generateKeys, seedFileName } from './keys.ts';
export type { NatsSubjects, NatsUser } from './nats-config.ts';
export { type NatsOptions, startNats } from './nats-server.ts';
export { type PostgresOptions, type RunningPostgres, startPostgres } from './postgres-server.ts';
export { reapStale } from './process-records.ts';
export { type RedisOptions, startRedis } from './redis-server.ts';
export type { RunningServer, ServerOptions } from './running-server.ts';
export { type EnsureServersOptions, ensureServers, type ServerBinary, type ServerName } from './server-binaries.ts';
export type { ServiceName } from './service-settings.ts';
export { type Stack, type StackOptions, startStack } from './stack.ts';
export type { StackServer, StackServers } from './stack-servers.ts';
export {
  type ProcessExit,
  type ProcessOptions,
  ProcessStartError,
  type SupervisedProcess,
  startProcess,
} from './supervised-process.ts';
export { type TestDatabase, testDatabase } from './test-database.ts';
export { type WaitOptions, waitUntil } from './wait-until.ts';
