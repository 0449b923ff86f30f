import type { Logger } from '@alga/chassis';
import { openRedisCache } from '@alga/storage';
import type { SharedEntries } from '../core/secrets-cache.ts';

/** The shared cache on Redis; without a URL, one that never holds anything. */
export function openSharedEntries(url: string | undefined, logger: Logger): SharedEntries & { close(): void } {
  if (url === undefined) {
    return {
      get: async () => undefined,
      set: async () => false,
      delete: async () => false,
      close: () => undefined,
    };
  }
  return openRedisCache({
    url,
    onChange: (available, reason) =>
      available ? logger.info('redis is used again') : logger.warn({ reason }, 'redis is passed over'),
  });
}
