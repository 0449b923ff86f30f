import type { HttpRequest } from 'alga:extension/types@1.0.0';
import { decodeText } from './bytes.ts';

/** The call as it came in. */
export interface ExtensionRequest {
  readonly method: string;
  /** Path and query, for example `/sync?full=1`. */
  readonly url: string;
  /** Path alone, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** Empty where there is no body. */
  readonly bytes: Uint8Array;
  text(): string;
  /** @throws SyntaxError where the body is not JSON. */
  json<T = unknown>(): T;
}

export function extensionRequest(http: HttpRequest): ExtensionRequest {
  const bytes = http.body ?? new Uint8Array();
  const mark = http.url.indexOf('?');
  return {
    method: http.method,
    url: http.url,
    path: mark === -1 ? http.url : http.url.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : http.url.slice(mark + 1)),
    headers: new Headers(http.headers.map(({ name, value }): [string, string] => [name, value])),
    bytes,
    text: () => decodeText(bytes),
    json: <T>() => JSON.parse(decodeText(bytes)) as T,
  };
}
