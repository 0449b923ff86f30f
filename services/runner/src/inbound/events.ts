import type { Bus } from '@alga/chassis';
import { channels } from '@alga/contracts';
import type { SecretsCache } from '../core/secrets-cache.ts';

/** Forgets what an event says is old. Only a courtesy: the version floor keeps stale values from being used (I1). */
export function listenForChanges(bus: Pick<Bus, 'listen'>, secrets: Pick<SecretsCache, 'evict'>): void {
  bus.listen(channels.secretsRotated, ({ tenantId, installId, secretsVersion }) =>
    secrets.evict(tenantId, installId, secretsVersion),
  );
  bus.listen(channels.installChanged, ({ tenantId, installId, secretsVersion, status }) =>
    secrets.evict(tenantId, installId, status === 'active' ? secretsVersion : undefined),
  );
}
