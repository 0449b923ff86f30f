export { type AlgaApi, startAlgaApi } from './alga-api.ts';
export { type CallRecord, callConcurrently, percentile, staleReads } from './calls.ts';
export { type Needle, sweep } from './leak-sweep.ts';
export { type Answer, PlatformClient } from './platform-client.ts';
export { captureNats, fileSinks, type NatsCapture, postgresSinks, redisSinks } from './sinks.ts';
