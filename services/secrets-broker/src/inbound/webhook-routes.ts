import type { HttpServer } from '@alga/chassis';
import { AlgaError, decodeJson, parse } from '@alga/contracts';
import { type RotationParts, rotate } from '../core/rotation.ts';
import { checkSignature, type WebhookSources } from '../core/webhook-signature.ts';

/** Notifications handled at once; the rest are told to come again. */
const MAX_IN_FLIGHT = 32;
const DEFAULT_SOURCE = 'local';
const RETRY_AFTER_MS = 1_000;

interface WebhookParts {
  readonly sources: WebhookSources;
  readonly rotation: RotationParts;
}

/** `POST /webhooks/vault`. The 200 is the acknowledgement of the rotation (I1). */
export async function addWebhookRoutes(http: HttpServer, { sources, rotation }: WebhookParts): Promise<void> {
  let inFlight = 0;
  await http.register(async (scope) => {
    // The signature is over the bytes as sent, so nothing parses them before it is judged.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

    scope.post('/webhooks/vault', async (request) => {
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const headers = request.raw.headersDistinct;
      const source = only(headers['x-alga-source'], DEFAULT_SOURCE);
      const signature = only(headers['x-alga-signature'], undefined);
      const secrets = (source === undefined ? undefined : sources.get(source)) ?? [];
      const verdict = checkSignature(signature, body, secrets, rotation.now());
      if (!verdict.ok || source === undefined) throw new AlgaError(verdict.ok ? 'webhook_unsigned' : verdict.code);

      const json = decodeJson(body);
      const event = json.ok ? parse('webhook-generic', json.value) : json;
      if (!event.ok) throw new AlgaError('bad_request', undefined, { errors: event.errors });
      if (inFlight >= MAX_IN_FLIGHT) throw new AlgaError('overloaded', undefined, { retryAfterMs: RETRY_AFTER_MS });
      inFlight += 1;
      try {
        const result = await rotate(source, event.value, rotation);
        switch (result.outcome) {
          case 'rotated':
            return { eventId: event.value.id, installs: result.installs };
          case 'replayed':
            throw new AlgaError('webhook_replayed');
          case 'being_handled':
            throw new AlgaError('unavailable', 'This notification is being handled at this moment.');
          case 'source_unreadable':
            throw new AlgaError('secrets_unavailable', 'A source that the notification names cannot be read.');
          case 'unavailable':
            throw new AlgaError('unavailable', 'The rotation could not be completed. Send the notification again.');
        }
      } finally {
        inFlight -= 1;
      }
    });
  });
}

/** A header that was sent once; sent twice, it is as good as none. */
function only<T>(values: readonly string[] | undefined, absent: T): string | T | undefined {
  if (values === undefined) return absent;
  return values.length === 1 ? values[0] : undefined;
}
