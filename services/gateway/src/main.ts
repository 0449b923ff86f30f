import { runService } from '@alga/chassis';
import { MAX_HEAD_BYTES } from '@alga/contracts';
import { natsControlPlane } from './adapters/nats-control-plane.ts';
import { natsRunners } from './adapters/nats-runners.ts';
import { settings } from './config.ts';
import { bindExtensionRoutes } from './inbound/extension-routes.ts';

await runService({
  name: 'gateway',
  settings,
  maxBodyBytes: ({ maxBodyBytes }) => maxBodyBytes,
  receiveTimeoutMs: ({ requestTimeoutMs }) => requestTimeoutMs,
  schemas: [
    'apikey-verify-request',
    'apikey-verify-reply',
    'install-resolve-request',
    'install-resolve-reply',
    'execute-request-head',
    'execute-reply-head',
    'fleet-heartbeat',
  ],
  async start({ bus, config, health, http, logger, onStop }) {
    const { maxBodyBytes, requestTimeoutMs } = config;
    if (maxBodyBytes + MAX_HEAD_BYTES > bus.maxPayload) {
      const room = bus.maxPayload - MAX_HEAD_BYTES;
      throw new Error(
        `MAX_BODY_BYTES leaves no room in a NATS message: set it to ${room} or less, or raise max_payload.`,
      );
    }
    // A draining gateway hears no heartbeats any more, and still has calls in flight (I10).
    const listening = () => bus.connected && health.phase !== 'draining';
    const runners = natsRunners({ bus, logger, listening });
    onStop('runners', () => runners.stop());
    const now = () => performance.now();
    bindExtensionRoutes(http, { controlPlane: natsControlPlane(bus), runners, now }, requestTimeoutMs);
  },
});
