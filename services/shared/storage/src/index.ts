export { type BlobStore, openBlobStore } from './nats-blob-store.ts';
export { migrate, openPostgres } from './postgres.ts';
export { openRedisCache } from './redis-cache.ts';
