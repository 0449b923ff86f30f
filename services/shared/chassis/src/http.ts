import { randomBytes } from 'node:crypto';
import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  maxHeaderSize,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import { AlgaError, type ErrorCode, toProblem } from '@alga/contracts';
import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Health } from './health.ts';
import type { Logger } from './logger.ts';

export type HttpServer = FastifyInstance;

/** A caller may bring its own request id, if it has this shape; it is the key under which logs and audit are found. */
const REQUEST_ID = /^[A-Za-z0-9_-]{8,64}$/;

/** Slow senders are cut off; a whole request (headers and body) must arrive within this. */
const RECEIVE_TIMEOUT_MS = 15_000;
/** How often Node looks for slow senders; its default of 30 s would let them stay that much longer. */
const RECEIVE_CHECK_MS = 1_000;

const newRequestId = (): string => randomBytes(12).toString('base64url');

/** Fastify's own refusals, in our table's words. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

interface HttpOptions {
  readonly health: Health;
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  /** A whole request must arrive within this; 15 s unless given. */
  readonly receiveTimeoutMs?: number;
  readonly handleMetrics: (request: IncomingMessage, response: ServerResponse) => void;
}

/** An HTTP server with request ids, traces, problem documents, `/healthz`, `/readyz` and `/metrics`. */
export function createHttpServer(options: HttpOptions): HttpServer {
  const { health, logger, receiveTimeoutMs = RECEIVE_TIMEOUT_MS } = options;
  const app = Fastify({
    logger: false,
    bodyLimit: options.maxBodyBytes,
    requestTimeout: receiveTimeoutMs,
    // Node swaps the two timeouts when the one for headers is the longer (measured: bodies then had its default of 60 s).
    http: { headersTimeout: receiveTimeoutMs, connectionsCheckingInterval: RECEIVE_CHECK_MS },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) =>
      refuse(toAlgaError(error, options.maxBodyBytes), request, reply, logger),
    return503OnClosing: false, // drained requests are answered; new connections are refused by the closed listener
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 128 },
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : newRequestId();
    },
  });
  observe(app, logger);
  // A body that no route takes is not read: nobody has looked at a key yet, and the limit is that of the largest upload.
  app.addHook('onRequest', (request, _, done) => {
    done(request.is404 && announcesBody(request.headers) ? new AlgaError('not_found') : undefined);
  });
  // A kept-alive connection that is busy when draining starts would hold the process until its deadline (I10).
  app.addHook('onSend', (_, reply, payload, done) => {
    if (health.phase === 'draining') reply.header('connection', 'close');
    done(null, payload);
  });
  app.setErrorHandler((error, request, reply) =>
    refuse(toAlgaError(error, options.maxBodyBytes), request, reply, logger),
  );
  app.setNotFoundHandler((request, reply) => refuse(new AlgaError('not_found'), request, reply, logger));
  app.get('/healthz', () => ({ status: 'alive' }));
  app.get('/readyz', (_, reply) => {
    const readiness = health.readiness();
    return reply.code(readiness.ready ? 200 : 503).send(readiness);
  });
  app.get('/metrics', (request, reply) => {
    reply.hijack();
    options.handleMetrics(request.raw, reply.raw);
  });
  return app;
}

const announcesBody = (headers: IncomingHttpHeaders): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/** Sends an error as a problem document. Faults are logged with their cause, refusals without. */
function refuse(error: AlgaError, request: FastifyRequest, reply: FastifyReply, logger: Logger): FastifyReply {
  if (error.status >= 500) logger.error({ err: error, requestId: request.id, code: error.code }, 'request failed');
  if (error.retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(error.retryAfterMs / 1000)));
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  reply.header('x-request-id', request.id); // an address that cannot be decoded never reaches the hook that sets it
  return reply
    .code(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(toProblem(error, request.id)));
}

// What cannot be read as HTTP never becomes a request: answered on the bare socket, which then closes.
function refuseConnection(cause: Error & { code?: string }, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const error =
    cause.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? new AlgaError('request_timeout')
      : cause.code === 'HPE_HEADER_OVERFLOW'
        ? new AlgaError('bad_request', `Address and headers are over ${maxHeaderSize} bytes.`, { limit: maxHeaderSize })
        : new AlgaError('bad_request', 'The request is not valid HTTP.');
  const requestId = newRequestId();
  const body = JSON.stringify(toProblem(error, requestId));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function toAlgaError(error: unknown, maxBodyBytes: number): AlgaError {
  if (error instanceof AlgaError) return error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? FASTIFY_CODES[code] : undefined;
  if (known === 'body_too_large') {
    return new AlgaError(known, `The body is over ${maxBodyBytes} bytes.`, { limit: maxBodyBytes });
  }
  if (known !== undefined) return new AlgaError(known);
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new AlgaError('bad_request', 'The request body or address cannot be read.', { cause: error });
  }
  return new AlgaError('internal', undefined, { cause: error });
}

// A span and a duration for each request. The query is left out: callers put keys into it.
function observe(app: HttpServer, logger: Logger): void {
  const tracer = trace.getTracer('alga.http');
  const duration = metrics.getMeter('alga.http').createHistogram('alga_http_request_ms', {
    description: 'HTTP requests by route and status',
    unit: 'ms',
  });
  app.addHook('onRequest', (request, reply, done) => {
    const started = performance.now();
    reply.header('x-request-id', request.id);
    const parent = propagation.extract(context.active(), request.headers);
    const route = request.routeOptions.url ?? 'unmatched';
    const span = tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER }, parent);
    span.setAttributes({ 'http.request.method': request.method, 'http.route': route, 'alga.request_id': request.id });
    reply.raw.once('close', () => {
      const { statusCode } = reply.raw;
      span.setAttribute('http.response.status_code', statusCode);
      if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
      const ms = performance.now() - started;
      duration.record(ms, { route, method: request.method, status: statusCode });
      logger.debug({ requestId: request.id, route, status: statusCode, ms }, 'request');
    });
    context.with(trace.setSpan(parent, span), done);
  });
}
