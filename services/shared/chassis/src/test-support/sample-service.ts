// A smallest service, run as a process by service.integration.spec.ts.
import { channels } from '@alga/contracts';
import { integer, runService } from '../index.ts';

await runService({
  name: 'control-plane',
  settings: { delayMs: integer('DELAY_MS', { min: 0, max: 10_000 }) },
  maxBodyBytes: () => 1024,
  schemas: ['apikey-verify-request', 'apikey-verify-reply'],
  async start({ bus, config, logger, http, onStop }) {
    bus.serve(channels.apikeyVerify, async () => {
      logger.info('working');
      await new Promise((resolve) => setTimeout(resolve, config.delayMs));
      return { keyId: 'k1', scopes: ['invoke'] };
    });
    http.get('/hello', () => ({ hello: 'world' }));
    onStop('sample', () => logger.info('sample stopped'));
  },
});
