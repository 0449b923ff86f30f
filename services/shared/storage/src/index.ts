export { type BlobStore, openBlobStore } from './nats-blob-store.ts';
export { migrate, openPostgres, type PostgresOptions } from './postgres.ts';
export { openRedisCache, type RedisCacheOptions, type SharedCache } from './redis-cache.ts';
