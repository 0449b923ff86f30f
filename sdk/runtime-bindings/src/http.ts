import type { HttpResponse } from 'alga:extension/types@1.0.0';
import { decodeText, encodeText } from './bytes.ts';
import { callHost, HttpError, isHttpErrorCode } from './errors.ts';

type Host = Pick<typeof import('alga:extension/http@1.0.0'), 'fetch'>;

export interface HttpOptions {
  /** Default GET, or POST where there is a body. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sent as JSON, with its content type. Not together with `body`. */
  readonly json?: unknown;
}

/** What the target answered, whatever its status. The body has been read. */
export interface HttpResult {
  readonly status: number;
  /** True for a status of 200 to 299. */
  readonly ok: boolean;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  text(): string;
  /** @throws SyntaxError where the body is not JSON. */
  json<T = unknown>(): T;
}

/** Outbound HTTP, to the origins that manifest and tenant allow. */
export interface HttpClient {
  /** @throws HttpError where there is no answer: not-allowed, timeout, unreachable and so on. */
  fetch(url: string | URL, options?: HttpOptions): Promise<HttpResult>;
}

export const httpClient = (host: Host): HttpClient => ({
  fetch: async (url, options = {}) => {
    const target = String(url);
    const headers = Object.entries(options.headers ?? {}).map(([name, value]) => ({ name, value }));
    const body = encodeBody(options);
    if (options.json !== undefined && !headers.some(({ name }) => name.toLowerCase() === 'content-type')) {
      headers.push({ name: 'content-type', value: 'application/json' });
    }
    const method = options.method ?? (body === undefined ? 'GET' : 'POST');
    const response = callHost(
      () => host.fetch({ method, url: target, headers, ...(body !== undefined && { body }) }),
      isHttpErrorCode,
      (code) => new HttpError(code, originOf(target)),
    );
    return result(response);
  },
});

function encodeBody({ body, json }: HttpOptions): Uint8Array | undefined {
  if (json === undefined) return typeof body === 'string' ? encodeText(body) : body;
  if (body !== undefined) throw new TypeError('http.fetch takes either body or json, not both');
  return encodeText(JSON.stringify(json));
}

function result(response: HttpResponse): HttpResult {
  const bytes = response.body ?? new Uint8Array();
  return {
    status: response.status,
    ok: response.status >= 200 && response.status < 300,
    headers: new Headers(response.headers.map(({ name, value }): [string, string] => [name, value])),
    bytes,
    text: () => decodeText(bytes),
    json: <T>() => JSON.parse(decodeText(bytes)) as T,
  };
}

function originOf(url: string): string {
  try {
    return new URL(url).origin;
  } catch {
    // Not URL.canParse: this engine does not have it.
    return 'not a URL';
  }
}
