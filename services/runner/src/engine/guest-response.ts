import { isUint8Array } from 'node:util/types';
import type { Outcome } from './outcome.ts';

const MAX_HEADERS = 128;
const MAX_NAME_CHARS = 256;
const MAX_VALUE_CHARS = 8_192;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What Node accepts in a header value: tab, printable ASCII, the upper half of Latin-1. So no CR, no LF. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** RFC 9110 7.6.1, and what frames the message: these belong to the gateway's connection. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Headers by which the platform itself speaks to the caller. */
const PLATFORM_PREFIX = 'x-ext-';
/** A status that says that there is no body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Checks a guest's response in the parent, where the guest cannot reach. The messages name the rule and the header.
 * @param maxBytes of headers, as JSON, and body together.
 */
export function parseGuestResponse(raw: unknown, maxBytes: number): Outcome {
  if (typeof raw !== 'object' || raw === null) return refuse('the response is not a record');
  const { status, headers, body } = raw as Record<string, unknown>;
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) {
    return refuse('the status is not 200 to 599');
  }
  if (!Array.isArray(headers) || headers.length > MAX_HEADERS)
    return refuse(`there are more than ${MAX_HEADERS} headers`);
  if (body !== undefined && body !== null && !isUint8Array(body)) return refuse('the body is not bytes');
  const bytes = isUint8Array(body) && body.byteLength > 0 ? body : undefined;
  if (bytes !== undefined && BODILESS.has(status as number)) return refuse(`status ${status} has no body`);

  const kept: { name: string; value: string }[] = [];
  for (const header of headers as unknown[]) {
    const { name, value } = (header ?? {}) as Record<string, unknown>;
    const reason = headerFault(name, value, bytes?.byteLength ?? 0);
    if (reason !== undefined) return refuse(reason);
    // The gateway frames the message itself.
    if ((name as string).toLowerCase() !== 'content-length')
      kept.push({ name: name as string, value: value as string });
  }
  const total = Buffer.byteLength(JSON.stringify(kept)) + (bytes?.byteLength ?? 0);
  if (total > maxBytes) return responseTooLarge(maxBytes);
  const response = { kind: 'response', status: status as number, headers: kept } as const;
  return bytes === undefined ? response : { ...response, body: bytes };
}

export const responseTooLarge = (maxBytes: number): Outcome => ({
  kind: 'limit_exceeded',
  limit: 'responseBytes',
  message: `the response is larger than ${maxBytes} bytes`,
});

function headerFault(name: unknown, value: unknown, bodyBytes: number): string | undefined {
  if (typeof name !== 'string' || name.length > MAX_NAME_CHARS || !TOKEN.test(name))
    return 'a header name is not a token';
  // A token is printable ASCII: it may be named in the message.
  if (typeof value !== 'string' || value.length > MAX_VALUE_CHARS || !VALUE.test(value)) {
    return `the value of header ${name} has a forbidden character or is too long`;
  }
  const lower = name.toLowerCase();
  if (HOP_BY_HOP.has(lower)) return `header ${name} is hop-by-hop`;
  if (lower.startsWith(PLATFORM_PREFIX)) return `header ${name} has the platform's prefix ${PLATFORM_PREFIX}`;
  if (lower === 'content-length' && value !== String(bodyBytes)) return 'content-length is not the length of the body';
  // A cookie for a parent domain would reach every application under it.
  if (lower === 'set-cookie' && /;\s*domain\s*=/i.test(value)) return 'a cookie names a domain';
  return undefined;
}

function refuse(message: string): Outcome {
  return { kind: 'invalid_response', message };
}
