import type { HttpError } from './http-error.ts';

type Target = { readonly ok: true; readonly url: URL } | { readonly ok: false; readonly error: HttpError };

const MAX_URL_CHARS = 8_192;

/**
 * Parses a URL that a guest, or a redirect, names and judges its origin against the install's allow-list. An empty list
 * allows nothing. The comparison is of whole origins: no suffix, no wildcard, a trailing dot is another host.
 */
export function judgeTarget(url: unknown, allow: readonly string[], base?: URL): Target {
  if (typeof url !== 'string' || url.length === 0 || url.length > MAX_URL_CHARS || hasOddCharacter(url))
    return refuse('invalid-url');
  const parsed = URL.parse(url, base);
  if (parsed === null || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) return refuse('invalid-url');
  if (parsed.username !== '' || parsed.password !== '' || parsed.port === '0') return refuse('invalid-url');
  parsed.hash = '';
  return allow.some((origin) => URL.parse(origin)?.origin === parsed.origin)
    ? { ok: true, url: parsed }
    : refuse('not-allowed');
}

// The URL standard drops tabs and newlines and reads a backslash as a slash: two parsers would see two hosts.
function hasOddCharacter(url: string): boolean {
  for (let index = 0; index < url.length; index++) {
    const code = url.charCodeAt(index);
    if (code <= 0x20 || code === 0x5c || code === 0x7f) return true;
  }
  return false;
}

function refuse(error: HttpError): Target {
  return { ok: false, error };
}
