import { AlgaError, type ExecuteReplyHead, type Framed } from '@alga/contracts';
import { clientResponseHeaders } from '../core/response-headers.ts';

/** Where the time of a call went, in ms. */
type Timings = Readonly<Record<'auth' | 'resolve' | 'execute', number>>;

interface ClientResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
}

/** By definition without a body (RFC 9110 section 15). */
const BODILESS = new Set([204, 205, 304]);

/** A guest's response as the client gets it. @throws AlgaError `guest_response_invalid` */
export function clientResponse(reply: Framed<ExecuteReplyHead>, timings: Timings): ClientResponse {
  const { head, body } = reply;
  const guest = clientResponseHeaders(head.headers);
  if (!guest.ok) throw new AlgaError('guest_response_invalid', undefined, { errors: [guest.error] });
  const phases = Object.entries({ ...timings, guest: head.guestMs });
  return {
    status: head.status,
    headers: {
      ...Object.fromEntries([...guest.headers].map(([name, values]) => [name, single(values)])),
      // Deprecated, and said so on every answer: who calls it can see what has to be rebuilt.
      ...(head.runtime === 'legacy' ? { 'x-ext-runtime': 'legacy' } : {}),
      'x-ext-version': head.version,
      'x-ext-config-version': String(head.configVersion),
      'x-ext-secrets-version': String(head.secretsVersion),
      'x-ext-runner': head.runnerId,
      'server-timing': phases.map(([name, ms]) => `${name};dur=${ms.toFixed(1)}`).join(', '),
    },
    body:
      head.hasBody && !BODILESS.has(head.status)
        ? Buffer.from(body.buffer, body.byteOffset, body.byteLength)
        : undefined,
  };
}

const single = (values: readonly string[]): string | string[] =>
  values.length === 1 ? (values[0] ?? '') : [...values];
