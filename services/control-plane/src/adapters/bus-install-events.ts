import type { Bus, Logger } from '@alga/chassis';
import { channels } from '@alga/contracts';
import type { InstallEvents } from '../ports/peers.ts';

/** Publishes changes to `ALGA_EVENTS`. */
export function busInstallEvents(bus: Bus, logger: Logger): InstallEvents {
  return {
    async announce(event) {
      const { tenantId, installId, secretsVersion } = event;
      const id = `install-changed.${installId}.${secretsVersion}`;
      try {
        await bus.publish(channels.installChanged, event, { tenantId, installId }, id);
      } catch (err) {
        // The change is committed and the floor in the next envelope says so (I1); caches only learn it later.
        logger.warn({ err, tenantId, installId, secretsVersion }, 'change not announced');
      }
    },
  };
}
