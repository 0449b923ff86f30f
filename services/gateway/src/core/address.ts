import type { FieldError } from '@alga/contracts';

/** Everything under it belongs to extensions. */
export const EXTENSIONS_PATH = '/api/ext/';
/** As in the schema of the execute request. */
const MAX_URL_CHARS = 8192;

type Address =
  /** `extensionId` is as it was written, unchecked; `url` is what the guest sees: a path of at least `/`, and the query. */
  | { readonly ok: true; readonly extensionId: string; readonly url: string }
  | { readonly ok: false; readonly error: FieldError };

/**
 * Splits a request target. Nothing is decoded or normalised: what a router, a proxy and a guest would each read differently
 * (`%2e%2e`, `//`) reaches the guest as it was sent, under the extension that the first segment names.
 */
export function readAddress(target: string): Address {
  const address = target.replace(/^https?:\/\/[^/?#]*/i, ''); // the absolute form, which proxies send
  if (!address.startsWith(EXTENSIONS_PATH)) return refused(`must begin with ${EXTENSIONS_PATH}`);
  if (/[^\x21-\x7e]|[#\\]/.test(address)) return refused('holds a character that must be percent-encoded');
  const rest = address.slice(EXTENSIONS_PATH.length);
  const end = rest.search(/[/?]/);
  const extensionId = end === -1 ? rest : rest.slice(0, end);
  const tail = end === -1 ? '' : rest.slice(end);
  const url = tail.startsWith('/') ? tail : `/${tail}`;
  const [path = ''] = url.split('?', 1);
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return refused('holds a % that does not begin an escape');
  if (path.includes('%00')) return refused('holds an encoded NUL');
  if (url.length > MAX_URL_CHARS) return refused(`is over ${MAX_URL_CHARS} characters`);
  return { ok: true, extensionId, url };
}

const refused = (reason: string): Address => ({ ok: false, error: { field: 'url', reason } });
