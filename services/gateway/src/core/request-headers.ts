import type { FieldError, Header } from '@alga/contracts';
import { hopByHop } from './hop-by-hop.ts';

/** As in the schema of the execute request; names have no other characters than HTTP allows in a token. */
const MAX_HEADERS = 128;
const MAX_NAME_CHARS = 256;
const MAX_VALUE_CHARS = 8192;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it must find
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/** The caller's credentials, which are for us, and what only our own side may say. */
const NOT_FOR_GUESTS = new Set(['authorization', 'cookie', 'forwarded', 'host', 'x-api-key', 'x-request-id']);
const NOT_FOR_GUESTS_PREFIXES = ['alga-', 'x-ext-', 'x-forwarded-'];

type GuestHeaders =
  | { readonly ok: true; readonly headers: Header[] }
  | { readonly ok: false; readonly error: FieldError };

/**
 * The request headers that a guest gets to see, names in lower case, repetitions and order kept.
 * `rawHeaders`: names and values in turn, as received; a list, so that a name such as `__proto__` is a name like any other.
 */
export function guestRequestHeaders(rawHeaders: readonly string[]): GuestHeaders {
  const all: Header[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    all.push({ name: (rawHeaders[index] ?? '').toLowerCase(), value: rawHeaders[index + 1] ?? '' });
  }
  const stopsHere = hopByHop(all.filter(({ name }) => name === 'connection').map(({ value }) => value));
  const headers = all.filter(
    ({ name }) =>
      !stopsHere(name) &&
      !NOT_FOR_GUESTS.has(name) &&
      !NOT_FOR_GUESTS_PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
  if (headers.length > MAX_HEADERS) return refused('headers', `are more than ${MAX_HEADERS}`);
  for (const { name, value } of headers) {
    if (name.length > MAX_NAME_CHARS) return refused('headers', `hold a name over ${MAX_NAME_CHARS} characters`);
    if (!NAME.test(name)) return refused('headers', 'hold a name that is not one');
    if (value.length > MAX_VALUE_CHARS) return refused(`headers/${name}`, `is over ${MAX_VALUE_CHARS} characters`);
    if (CONTROL.test(value)) return refused(`headers/${name}`, 'holds a control character');
  }
  return { ok: true, headers };
}

const refused = (field: string, reason: string): GuestHeaders => ({ ok: false, error: { field, reason } });
