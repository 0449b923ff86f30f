// The only file that opens a socket for a guest. Names are resolved once, every address is judged, and the connection
// goes to an address that was judged: there is no second look-up that could answer otherwise.
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, errors, request } from 'undici';
import type { HttpHeader } from '../sandbox/protocol.ts';
import { isPublicAddress } from './address.ts';
import type { HttpError } from './http-error.ts';

interface TransportRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: readonly HttpHeader[];
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

type TransportReply =
  | { readonly ok: true; readonly status: number; readonly headers: HttpHeader[]; readonly body: Uint8Array }
  | { readonly ok: false; readonly error: HttpError };

/** Addresses of a host name, as the system's resolver gives them. */
export type Resolve = (hostname: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

interface TransportOptions {
  /** Exact origins, chosen by the operator, that may be at private or loopback addresses. */
  readonly privateOrigins: readonly string[];
  /** Largest response body, in bytes. */
  readonly maxBodyBytes: number;
  readonly connectTimeoutMs: number;
  readonly resolve?: Resolve;
}

export interface Transport {
  /** One request, no redirect followed, no proxy, no decompression. Failures are data. */
  send(request: TransportRequest): Promise<TransportReply>;
  close(): Promise<void>;
}

const MAX_RESPONSE_HEADER_BYTES = 16_384;
const MAX_RESPONSE_HEADERS = 128;
const MAX_SOCKETS_PER_ORIGIN = 64;
const KEEP_ALIVE_MS = 10_000;
/** Not for the guest: they frame the message on this connection. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

class AddressRefused extends Error {}

export function createTransport(options: TransportOptions): Transport {
  const privateOrigins = new Set(options.privateOrigins.map((origin) => new URL(origin).origin));
  const resolve = options.resolve ?? ((hostname) => systemLookup(hostname, { all: true, verbatim: true }));

  async function judgedAddresses(protocol: string, hostname: string, port: string): ReturnType<Resolve> {
    const family = isIP(hostname);
    const found = family === 0 ? await withTimeout(resolve(hostname)) : [{ address: hostname, family }];
    const host = family === 6 ? `[${hostname}]` : hostname;
    const origin = new URL(`${protocol}//${host}${port === '' ? '' : `:${port}`}`).origin;
    if (found.length === 0) throw new AddressRefused();
    // All of them: a private address beside a public one is how a rebinding name looks.
    if (!privateOrigins.has(origin) && !found.every(({ address }) => isPublicAddress(address)))
      throw new AddressRefused();
    return found;
  }

  async function withTimeout<T>(promise: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new errors.ConnectTimeoutError('resolving took too long')),
        options.connectTimeoutMs,
      );
    });
    return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  const agent = new Agent({
    allowH2: false,
    pipelining: 1,
    connections: MAX_SOCKETS_PER_ORIGIN,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
    connect: (target, callback) => {
      judgedAddresses(target.protocol, target.hostname, target.port).then(
        (addresses) => {
          const connect = buildConnector({
            allowH2: false,
            timeout: options.connectTimeoutMs,
            maxCachedSessions: 0,
            lookup: fixedLookup(addresses),
          } as buildConnector.BuildOptions);
          connect(target, callback);
        },
        (error: Error) => callback(error, null),
      );
    },
  });

  async function send({ url, method, headers, body, signal }: TransportRequest): Promise<TransportReply> {
    try {
      const response = await abortable(
        request(url, {
          dispatcher: agent,
          method: method as 'GET',
          headers: [...headers.flatMap(({ name, value }) => [name, value]), 'accept-encoding', 'identity'],
          body: body ?? null,
          signal,
        }),
        signal,
      );
      const bytes = await readBounded(response.body, options.maxBodyBytes);
      if (bytes === undefined) return { ok: false, error: 'too-large' };
      const received = responseHeaders(response.headers);
      if (received.length > MAX_RESPONSE_HEADERS) return { ok: false, error: 'too-large' };
      return { ok: true, status: response.statusCode, headers: received, body: bytes };
    } catch (error) {
      return { ok: false, error: signal.aborted ? 'timeout' : toHttpError(error) };
    }
  }

  return { send, close: () => agent.destroy() };
}

// undici looks at the signal of a request that still waits for a socket only when it gets one.
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return Promise.race([promise, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}

async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  // Leaving the loop early destroys the stream and its socket.
  for await (const chunk of body) {
    total += chunk.byteLength;
    if (total > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function responseHeaders(headers: Record<string, string | string[] | undefined>): HttpHeader[] {
  return Object.entries(headers)
    .filter(([name]) => !HOP_BY_HOP.has(name) && !name.startsWith('proxy-'))
    .flatMap(([name, value]) => [value ?? []].flat().map((one) => ({ name, value: one })));
}

function fixedLookup(addresses: Awaited<ReturnType<Resolve>>): LookupFunction {
  return (_hostname, lookupOptions, callback) => {
    const [first] = addresses;
    if (lookupOptions.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family ?? 0);
  };
}

function toHttpError(error: unknown): HttpError {
  if (error instanceof AddressRefused) return 'not-allowed';
  if (error instanceof errors.HeadersOverflowError) return 'too-large';
  if (error instanceof errors.ConnectTimeoutError || error instanceof errors.HeadersTimeoutError) return 'timeout';
  if (error instanceof errors.BodyTimeoutError) return 'timeout';
  if (error instanceof errors.HTTPParserError) return 'unreachable';
  // Resolver, socket and TLS faults all carry a code; without one it is ours.
  return typeof (error as { code?: unknown } | null)?.code === 'string' ? 'unreachable' : 'internal';
}
