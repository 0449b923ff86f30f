export { type AlgaApi, startAlgaApi } from './alga-api.ts';
export { type Acknowledgement, type CallRecord, callConcurrently, percentile, staleReads } from './calls.ts';
export { type Leak, type Needle, type Sink, sweep } from './leak-sweep.ts';
export { type Answer, PlatformClient, RefusedError } from './platform-client.ts';
export { captureNats, fileSinks, type NatsCapture, postgresSinks, redisSinks } from './sinks.ts';
