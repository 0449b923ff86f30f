import { isUint8Array } from 'node:util/types';
import { requestHeaders, withoutBodyHeaders, withoutCredentials } from '../egress/headers.ts';
import type { HttpError } from '../egress/http-error.ts';
import { judgeTarget } from '../egress/target.ts';
import { createTransport, type Resolve, type Transport } from '../egress/transport.ts';
import type { HostResult, HttpHeader } from '../sandbox/protocol.ts';

interface HttpLimits {
  /** Largest request body, in bytes. */
  readonly maxRequestBytes: number;
  /** Largest response body, in bytes. */
  readonly maxResponseBytes: number;
  /** Longest that one fetch may take with all its redirects, in milliseconds. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
}

export interface HttpCapabilityOptions {
  /** Exact origins that may be at private or loopback addresses: the operator's setting, never a tenant's. */
  readonly privateOrigins: readonly string[];
  readonly limits?: Partial<HttpLimits>;
  /** How names are resolved; the system's resolver where it is not given. */
  readonly resolve?: Resolve;
}

interface FetchContext {
  /** The origins of the envelope of this very request: a revocation acts on the next call, open sockets or not (I6). */
  readonly allow: readonly string[];
  /** Time left of the request, in milliseconds. */
  readonly deadlineMs: number;
}

export interface HttpCapability {
  /** WIT `http.fetch`. The capability itself (`http.fetch`) is the caller's to check. Never rejects. */
  fetch(request: unknown, context: FetchContext): Promise<HostResult>;
  /** Closes every socket; fetches in flight end as `unreachable`. */
  close(): Promise<void>;
}

const DEFAULT_LIMITS: HttpLimits = {
  maxRequestBytes: 1_048_576,
  maxResponseBytes: 524_288,
  timeoutMs: 15_000,
  connectTimeoutMs: 5_000,
};
const MAX_REDIRECTS = 3;
const METHODS: ReadonlySet<unknown> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

interface Outbound {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly HttpHeader[];
  readonly body: Uint8Array | undefined;
}

/** Outbound HTTP for guests: deny by default, judged at every hop, bounded in size and time. */
export function createHttpCapability(options: HttpCapabilityOptions): HttpCapability {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const { privateOrigins, resolve } = options;
  const transport = createTransport({
    privateOrigins,
    maxBodyBytes: limits.maxResponseBytes,
    connectTimeoutMs: limits.connectTimeoutMs,
    ...(resolve === undefined ? {} : { resolve }),
  });
  return {
    fetch: async (request, { allow, deadlineMs }) => {
      if (deadlineMs <= 0) return refuse('timeout');
      const outbound = parseRequest(request, allow, limits.maxRequestBytes);
      if (typeof outbound === 'string') return refuse(outbound);
      // `AbortSignal.timeout` would keep its timer; this one is cleared as soon as the fetch is over.
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), Math.min(limits.timeoutMs, deadlineMs));
      try {
        return await follow(transport, outbound, allow, abort.signal);
      } finally {
        clearTimeout(timer);
      }
    },
    close: () => transport.close(),
  };
}

async function follow(
  transport: Transport,
  first: Outbound,
  allow: readonly string[],
  signal: AbortSignal,
): Promise<HostResult> {
  let outbound = first;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const reply = await transport.send({ ...outbound, signal });
    if (!reply.ok) return refuse(reply.error);
    const location = REDIRECTS.has(reply.status) ? reply.headers.find(({ name }) => name === 'location') : undefined;
    if (location === undefined) {
      const { status, headers, body } = reply;
      return { ok: true, value: body.byteLength === 0 ? { status, headers } : { status, headers, body } };
    }
    const target = judgeTarget(location.value, allow, outbound.url);
    if (!target.ok) return refuse(target.error);
    outbound = redirected(outbound, reply.status, target.url);
  }
  return refuse('not-allowed');
}

// As browsers do it: 303 becomes a GET, and so does a POST that is answered by 301 or 302.
function redirected(from: Outbound, status: number, url: URL): Outbound {
  const becomesGet = (status === 303 && from.method !== 'HEAD') || (status < 303 && from.method === 'POST');
  const own = url.origin === from.url.origin ? from.headers : withoutCredentials(from.headers);
  return becomesGet
    ? { method: 'GET', url, headers: withoutBodyHeaders(own), body: undefined }
    : { ...from, url, headers: own };
}

function parseRequest(raw: unknown, allow: readonly string[], maxBytes: number): Outbound | HttpError {
  const { method, url, headers, body } = (raw ?? {}) as Record<string, unknown>;
  const target = judgeTarget(url, allow);
  if (!target.ok) return target.error;
  if (typeof method !== 'string' || !METHODS.has(method)) return 'denied';
  const kept = requestHeaders(headers);
  if (kept === undefined) return 'denied';
  if (body === undefined || body === null) return { method, url: target.url, headers: kept, body: undefined };
  if (!isUint8Array(body) || (BODILESS.has(method) && body.byteLength > 0)) return 'denied';
  if (body.byteLength > maxBytes) return 'too-large';
  return { method, url: target.url, headers: kept, body: BODILESS.has(method) ? undefined : body };
}

function refuse(error: HttpError): HostResult {
  return { ok: false, error };
}
