import type { HttpHeader } from '../sandbox/protocol.ts';

const MAX_HEADERS = 64;
const MAX_TOTAL_CHARS = 16_384;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Headers that a guest cannot set: they frame the message, address another host, speak to a proxy, or claim where the
 * request comes from. Dropped without a word, as a browser does.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'date',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);
const FORBIDDEN_PREFIXES = ['proxy-', 'sec-', 'x-forwarded-'] as const;

/** What survives a redirect to another origin. All else could be a credential. */
const SAFE_ACROSS_ORIGINS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'content-type', 'user-agent']);

/** The request headers that are sent, or undefined where one is malformed or there are too many. */
export function requestHeaders(raw: unknown): HttpHeader[] | undefined {
  if (!Array.isArray(raw) || raw.length > MAX_HEADERS) return undefined;
  const kept: HttpHeader[] = [];
  let total = 0;
  for (const header of raw as unknown[]) {
    const { name, value } = (header ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || typeof value !== 'string' || !TOKEN.test(name) || !VALUE.test(value))
      return undefined;
    total += name.length + value.length;
    if (total > MAX_TOTAL_CHARS) return undefined;
    if (!isForbidden(name.toLowerCase())) kept.push({ name, value });
  }
  return kept;
}

/** Drops credentials before a redirect leaves the origin that they were meant for. */
export function withoutCredentials(headers: readonly HttpHeader[]): HttpHeader[] {
  return headers.filter(({ name }) => SAFE_ACROSS_ORIGINS.has(name.toLowerCase()));
}

/** Drops what describes a body that is no longer sent. */
export function withoutBodyHeaders(headers: readonly HttpHeader[]): HttpHeader[] {
  return headers.filter(({ name }) => !name.toLowerCase().startsWith('content-'));
}

function isForbidden(name: string): boolean {
  return FORBIDDEN.has(name) || FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}
