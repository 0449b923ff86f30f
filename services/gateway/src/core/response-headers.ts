import type { FieldError, Header } from '@alga/contracts';
import { hopByHop } from './hop-by-hop.ts';

/**
 * What a guest may not say. All extensions of all tenants answer under one origin, so a header that acts on the origin (a
 * cookie, a wiped cache, another host for it, a wider service worker) would let one reach into the others. The rest
 * describes what we did, and is ours to say.
 */
const NOT_FOR_CLIENTS = new Set([
  '__proto__', // legal as a token, and a trap wherever headers become an object
  'alt-svc',
  'clear-site-data',
  'date',
  'nel',
  'origin-agent-cluster',
  'public-key-pins',
  'report-to',
  'reporting-endpoints',
  'server',
  'server-timing',
  'service-worker-allowed',
  'set-cookie',
  'set-cookie2',
  'strict-transport-security',
  'x-content-type-options',
  'x-request-id',
]);
const NOT_FOR_CLIENTS_PREFIX = 'x-ext-';

/** Sent once whatever the guest says: the first counts. */
const SINGLE = new Set(['content-type', 'cache-control', 'location', 'etag', 'last-modified', 'retry-after']);

/** A guest's page runs in an origin of its own, without scripts, whatever further policy it sets for itself. */
const GUEST_POLICY = 'sandbox';

type ClientHeaders =
  /** Lower-case name -> its values, in order. */
  | { readonly ok: true; readonly headers: ReadonlyMap<string, readonly string[]> }
  | { readonly ok: false; readonly error: FieldError };

/** A guest's response headers as the client may have them. The schema of the reply has already kept CR, LF and other controls out. */
export function clientResponseHeaders(guest: readonly Header[]): ClientHeaders {
  const all = guest.map(({ name, value }) => ({ name: name.toLowerCase(), value: value.trim() }));
  const stopsHere = hopByHop(all.filter(({ name }) => name === 'connection').map(({ value }) => value));
  const headers = new Map<string, string[]>();
  for (const [index, { name, value }] of all.entries()) {
    if (stopsHere(name) || NOT_FOR_CLIENTS.has(name) || name.startsWith(NOT_FOR_CLIENTS_PREFIX)) continue;
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      return { ok: false, error: { field: `headers/${index}`, reason: 'holds a character that HTTP cannot carry' } };
    }
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [value]);
    else if (!SINGLE.has(name)) values.push(value);
  }
  if (!headers.has('cache-control')) headers.set('cache-control', ['no-store']); // answers depend on the caller's key
  headers.set('content-security-policy', [...(headers.get('content-security-policy') ?? []), GUEST_POLICY]);
  headers.set('x-content-type-options', ['nosniff']);
  return { ok: true, headers };
}
