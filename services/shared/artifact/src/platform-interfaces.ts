// Types of wit/extension-runner.wit, written out as `scanComponent` writes out those of a component. A spec derives them from
// the WIT again and compares.

const HEADERS = 'list<record { name: string, value: string }>';
const REQUEST = `record { method: string, url: string, headers: ${HEADERS}, body: option<list<u8>> }`;
const RESPONSE = `record { status: u16, headers: ${HEADERS}, body: option<list<u8>> }`;
const CONTEXT =
  'record { request-id: option<string>, tenant-id: string, extension-id: string, install-id: option<string>, version-id: option<string> }';
const ENTRY = 'record { key: string, value: list<u8>, revision: u64, expires-at: option<u64> }';
const PAGE = `record { entries: list<${ENTRY}>, next-cursor: option<string> }`;

const CONFIG_ERROR = 'enum { denied, internal }';
const SECRET_ERROR = 'enum { missing, denied, expired, unavailable, internal }';
const HTTP_ERROR = 'enum { denied, invalid-url, not-allowed, timeout, too-large, unreachable, internal }';
const STORAGE_ERROR = 'enum { missing, denied, conflict, too-large, unavailable, internal }';

/** Type of the function that every component exports under the name `handler`. */
export const HANDLER_TYPE = `func(request: record { context: ${CONTEXT}, http: ${REQUEST} }) -> ${RESPONSE}`;

/** Types of the host's functions, by interface and name. `types` has none. */
export const PLATFORM_INTERFACES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.entries({
    types: {},
    context: { 'get-context': `func() -> ${CONTEXT}` },
    config: {
      get: `func(key: string) -> result<option<string>, ${CONFIG_ERROR}>`,
      'get-all': `func() -> result<string, ${CONFIG_ERROR}>`,
    },
    secrets: {
      get: `func(key: string) -> result<string, ${SECRET_ERROR}>`,
      'list-keys': `func() -> result<list<string>, ${SECRET_ERROR}>`,
    },
    http: { fetch: `func(request: ${REQUEST}) -> result<${RESPONSE}, ${HTTP_ERROR}>` },
    storage: {
      get: `func(key: string) -> result<${ENTRY}, ${STORAGE_ERROR}>`,
      put: `func(key: string, value: list<u8>, expected-revision: option<u64>, ttl-seconds: option<u32>) -> result<u64, ${STORAGE_ERROR}>`,
      delete: `func(key: string, expected-revision: option<u64>) -> result<_, ${STORAGE_ERROR}>`,
      'list-entries': `func(prefix: string, cursor: option<string>, limit: u32) -> result<${PAGE}, ${STORAGE_ERROR}>`,
    },
    logging: {
      'log-info': 'func(message: string)',
      'log-warn': 'func(message: string)',
      'log-error': 'func(message: string)',
    },
  }).map(([name, functions]) => [name, new Map(Object.entries(functions))]),
);
