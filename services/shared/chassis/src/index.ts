export { Bus, type RequestInfo, type RequestOptions, type ServeOptions } from './bus.ts';
export {
  ConfigError,
  integer,
  jsonFile,
  list,
  optionalSecretFile,
  optionalUrl,
  path,
  readConfig,
  type Setting,
  type Settings,
  secretFile,
  text,
  url,
} from './config.ts';
export { Health } from './health.ts';
export { createHttpServer, type HttpServer, newRequestId } from './http.ts';
export { KnownSecrets } from './known-secrets.ts';
export { createLogger, type Logger } from './logger.ts';
export { runService, type ServiceContext, type ServiceDefinition } from './service.ts';
