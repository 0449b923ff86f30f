export { Bus, type RequestInfo, type RequestOptions } from './bus.ts';
export {
  integer,
  jsonFile,
  list,
  optionalUrl,
  path,
  readConfig,
  type Setting,
  type Settings,
  secretFile,
  text,
  url,
} from './config.ts';
export type { HttpServer } from './http.ts';
export { KnownSecrets } from './known-secrets.ts';
export { createLogger, type Logger } from './logger.ts';
export { runService, type ServiceContext } from './service.ts';
