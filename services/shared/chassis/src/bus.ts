import {
  AlgaError,
  type EventChannel,
  encodeJson,
  inboxPrefixOf,
  type RequestChannel,
  toProblem,
} from '@alga/contracts';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import {
  connect,
  createInbox,
  type Msg,
  type NatsConnection,
  headers as natsHeaders,
  nkeyAuthenticator,
  type Subscription,
} from '@nats-io/transport-node';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorFromReply, publishFailure, requestFailure, tooLarge } from './bus-errors.ts';
import { consumeStream, ensureStreams, type StreamConsumer, type StreamName } from './bus-streams.ts';
import { headerGetter, histogram, injectTrace } from './bus-telemetry.ts';
import type { Logger } from './logger.ts';

const HEADER_DEADLINE = 'alga-deadline-ms';
const HEADER_ATTEMPT = 'alga-attempt';
const HEADER_ERROR = 'alga-error';

/** How long the first connection may take: the stack starts its processes side by side. */
const CONNECT_DEADLINE_MS = 20_000;
const RECONNECT_WAIT_MS = 250;
/** A durable publish waits at most this long for JetStream's acknowledgement. */
const PUBLISH_ACK_MS = 2_000;
/** A request that names no deadline of its own. */
const DEFAULT_DEADLINE_MS = 5_000;
/** Upper bound for what a peer may ask us to spend on one request. */
const MAX_DEADLINE_MS = 60_000;

export interface RequestOptions {
  readonly deadlineMs: number;
  /** Fills the subject's parameters. */
  readonly params?: Readonly<Record<string, string>>;
  readonly attempt?: number;
  /** Gives up at once when it fires; the outcome is then unknown to the caller. */
  readonly signal?: AbortSignal;
}

export interface RequestInfo {
  /** What the requester still waits for, in ms, when the message arrived. */
  readonly deadlineMs: number;
  readonly attempt: number;
  readonly subject: string;
  readonly replyTo: string;
  /** Fires at the deadline. */
  readonly signal: AbortSignal;
}

interface ServeOptions {
  readonly params?: Readonly<Record<string, string>>;
  /** Requests beyond this many at once are answered `overloaded` without being looked at. */
  readonly maxInFlight?: number;
}

interface BusOptions {
  readonly url: string;
  readonly service: string;
  readonly nkeySeed?: string;
  readonly logger: Logger;
}

/** Validated messages over NATS. Handlers are awaited, every wait has a deadline, draining loses nothing (I10). */
export class Bus {
  readonly connection: NatsConnection;
  readonly #js: JetStreamClient;
  readonly #logger: Logger;
  readonly #subscriptions = new Set<Subscription>();
  readonly #consumers = new Set<StreamConsumer>();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #inboxPrefix: string;
  readonly #tracer = trace.getTracer('alga.bus');
  readonly #requested = histogram('alga_bus_request_ms', 'Requests sent, by channel and outcome');
  readonly #served = histogram('alga_bus_serve_ms', 'Requests and events handled, by channel and outcome');
  #connected = true;
  #ignoring = false;

  private constructor(connection: NatsConnection, options: BusOptions) {
    this.connection = connection;
    this.#js = jetstream(connection);
    this.#logger = options.logger;
    this.#inboxPrefix = inboxPrefixOf(options.service);
    void this.#watch();
  }

  /** @throws AlgaError `unavailable` when no server answers in time. */
  static async connect(options: BusOptions): Promise<Bus> {
    const deadline = performance.now() + CONNECT_DEADLINE_MS;
    for (;;) {
      try {
        const connection = await connect({
          servers: options.url,
          name: `alga-${options.service}`,
          inboxPrefix: inboxPrefixOf(options.service),
          maxReconnectAttempts: -1,
          reconnectTimeWait: RECONNECT_WAIT_MS,
          reconnectJitter: RECONNECT_WAIT_MS,
          timeout: 3_000,
          noAsyncTraces: true,
          ...(options.nkeySeed === undefined
            ? {}
            : { authenticator: nkeyAuthenticator(new TextEncoder().encode(options.nkeySeed)) }),
        });
        return new Bus(connection, options);
      } catch (cause) {
        if (performance.now() > deadline) throw new AlgaError('unavailable', 'NATS does not answer.', { cause });
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_WAIT_MS));
      }
    }
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Largest message the server takes, in bytes. */
  get maxPayload(): number {
    return this.connection.info?.max_payload ?? 1024 * 1024;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Creates the named streams where they do not exist yet: who publishes into one or reads it makes sure of it. */
  async ensureStreams(...names: StreamName[]): Promise<void> {
    await ensureStreams(this.connection, names);
  }

  /**
   * Sends a request and waits for its one reply.
   * `message` may be a function of the reply subject, for messages that are bound to it.
   * @throws AlgaError: the replier's own, or `no_runner`/`unavailable` (nobody listens: it provably did not start),
   *   `deadline_exceeded` (no reply in time), `execution_unknown` (the signal fired), `body_too_large`.
   */
  async request<Req, Rep>(
    channel: RequestChannel<Req, Rep>,
    message: Req | ((replyTo: string) => Promise<Req>),
    options: RequestOptions,
  ): Promise<Rep> {
    const name = channel.request.schema;
    const started = performance.now();
    const span = this.#tracer.startSpan(`send ${name}`, { kind: SpanKind.CLIENT });
    let outcome = 'ok';
    try {
      return await context.with(trace.setSpan(context.active(), span), () => this.#send(channel, message, options));
    } catch (error) {
      outcome = error instanceof AlgaError ? error.code : 'internal';
      span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
      throw error;
    } finally {
      span.end();
      this.#requested.record(performance.now() - started, { channel: name, outcome });
    }
  }

  async #send<Req, Rep>(
    channel: RequestChannel<Req, Rep>,
    message: Req | ((replyTo: string) => Promise<Req>),
    options: RequestOptions,
  ): Promise<Rep> {
    const subject = channel.subject(options.params);
    const reply = typeof message === 'function' ? createInbox(this.#inboxPrefix) : undefined;
    const resolved = reply === undefined ? (message as Req) : await (message as (r: string) => Promise<Req>)(reply);
    const payload = channel.request.encode(resolved);
    if (payload.length > this.maxPayload) throw tooLarge(this.maxPayload);
    const timeout = Math.max(1, Math.ceil(options.deadlineMs));
    const headers = natsHeaders();
    headers.set(HEADER_DEADLINE, String(timeout));
    headers.set(HEADER_ATTEMPT, String(options.attempt ?? 1));
    injectTrace(headers);
    const pending = this.connection.request(subject, payload, {
      timeout,
      headers,
      ...(reply === undefined ? {} : { noMux: true, reply }),
    });
    let answer: Msg;
    try {
      answer = await (options.signal === undefined ? pending : abandonOn(pending, options.signal));
    } catch (cause) {
      throw requestFailure(cause, channel.queue === 'runners');
    }
    if (answer.headers?.get(HEADER_ERROR)) throw errorFromReply(answer.data);
    const decoded = channel.reply.decode(answer.data);
    if (!decoded.ok) {
      throw new AlgaError('internal', `The reply to ${channel.request.schema} does not match its schema.`, {
        cause: new TypeError(decoded.errors.map((e) => `${e.field} ${e.reason}`).join('; ')),
      });
    }
    return decoded.value;
  }

  /**
   * Answers requests on a channel; an AlgaError thrown by the handler becomes the reply, any other one `internal`.
   * Only into an inbox of a service that may ask: the server lets us publish on whatever reply subject a request names, so a
   * peer could otherwise have us call JetStream's API or overwrite a stored event with our rights.
   */
  serve<Req, Rep>(
    channel: RequestChannel<Req, Rep>,
    handler: (request: Req, info: RequestInfo) => Promise<Rep>,
    options: ServeOptions = {},
  ): void {
    const limit = options.maxInFlight ?? Number.POSITIVE_INFINITY;
    const name = channel.request.schema;
    const inboxes = channel.producers.map((producer) => `${inboxPrefixOf(producer)}.`);
    let running = 0;
    this.#subscribe(channel.subject(options.params), channel.queue, async (message) => {
      const { reply = '' } = message;
      if (!inboxes.some((inbox) => reply.startsWith(inbox))) return this.#ignore(name);
      if (running >= limit)
        return this.#respondError(message, new AlgaError('overloaded', undefined, { retryAfterMs: 1000 }));
      running += 1;
      try {
        const refuse = (error: AlgaError) => this.#respondError(message, error);
        await this.#handle(name, message, refuse, async () => {
          const request = channel.request.decode(message.data);
          if (!request.ok) throw new AlgaError('bad_request', undefined, { errors: request.errors });
          const deadlineMs = deadlineOf(message);
          const answer = await handler(request.value, {
            deadlineMs,
            attempt: Number(message.headers?.get(HEADER_ATTEMPT)) || 1,
            subject: message.subject,
            replyTo: reply,
            signal: AbortSignal.timeout(deadlineMs),
          });
          const payload = channel.reply.encode(answer);
          if (payload.length > this.maxPayload) throw tooLarge(this.maxPayload);
          message.respond(payload);
        });
      } finally {
        running -= 1;
      }
    });
  }

  /** Hears every event of a channel that is published while connected; no catching up. */
  listen<T>(channel: EventChannel<T>, handler: (event: T) => Promise<void> | void): void {
    // An event is never answered: the reply subject of a durable one is where its publisher waits for JetStream's word.
    const ignore = () => undefined;
    this.#subscribe(channel.wildcard, undefined, (message) =>
      this.#handle(channel.message.schema, message, ignore, async () => {
        const event = channel.message.decode(message.data);
        if (!event.ok) throw new AlgaError('bad_request', undefined, { errors: event.errors });
        await handler(event.value);
      }),
    );
  }

  /**
   * Takes each event of a durable channel at least once, across restarts; acknowledged when the handler resolves. The
   * handler is given, in their order, those that have arrived by then, a handful at most.
   */
  async consume<T>(
    channel: EventChannel<T>,
    durable: string,
    handler: (events: readonly T[]) => Promise<void>,
  ): Promise<void> {
    this.#consumers.add(await consumeStream(this.connection, channel, durable, handler, this.#logger));
  }

  /**
   * Publishes an event. A durable one is stored when this resolves. `id` lets JetStream drop a repetition.
   * @throws AlgaError, for a durable one: `unavailable` (whether it was stored is unknown), `body_too_large` (it never will be).
   */
  async publish<T>(
    channel: EventChannel<T>,
    event: T,
    params: Readonly<Record<string, string>> = {},
    id?: string,
  ): Promise<void> {
    const headers = natsHeaders();
    injectTrace(headers);
    const payload = channel.message.encode(event);
    if (!channel.durable) return this.connection.publish(channel.subject(params), payload, { headers });
    try {
      const timeout = PUBLISH_ACK_MS;
      await this.#js.publish(channel.subject(params), payload, {
        headers,
        timeout,
        ...(id === undefined ? {} : { msgID: id }),
      });
    } catch (cause) {
      throw publishFailure(cause, this.maxPayload);
    }
  }

  /** First and second step of a drain: no new messages, then every handler in flight has ended (or the deadline). */
  async stopIntake(deadlineMs: number): Promise<void> {
    await Promise.allSettled([
      ...[...this.#subscriptions].map((subscription) => subscription.drain()),
      ...[...this.#consumers].map((consumer) => consumer.stop()),
    ]);
    const deadline = AbortSignal.timeout(deadlineMs);
    const idle = async () => {
      while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    };
    await abandonOn(idle(), deadline).catch(() => {
      this.#logger.error({ inFlight: this.#inFlight.size }, 'handlers still running at the drain deadline');
    });
  }

  /** Third step: what was written reaches the server, then the connection ends. */
  async close(): Promise<void> {
    if (this.connection.isClosed()) return;
    await this.connection.drain();
  }

  #subscribe(subject: string, queue: string | undefined, handler: (message: Msg) => Promise<void>): void {
    const subscription = this.connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error !== null) return this.#logger.error({ err: error, subject }, 'subscription failed');
        const work = handler(message).catch((err: unknown) => this.#logger.error({ err, subject }, 'handler failed'));
        this.#inFlight.add(work);
        void work.finally(() => this.#inFlight.delete(work));
      },
    });
    this.#subscriptions.add(subscription);
  }

  /** A request whose answer would go where none of those who may ask listens: seen in the metrics, and once in the log. */
  #ignore(name: string): void {
    this.#served.record(0, { channel: name, outcome: 'foreign_inbox' });
    if (!this.#ignoring) this.#logger.error({ channel: name }, 'request with a foreign reply subject is not answered');
    this.#ignoring = true;
  }

  async #handle(
    name: string,
    message: Msg,
    refuse: (error: AlgaError) => void,
    work: () => Promise<void>,
  ): Promise<void> {
    const started = performance.now();
    const parent = propagation.extract(context.active(), message.headers, headerGetter);
    const span = this.#tracer.startSpan(`handle ${name}`, { kind: SpanKind.SERVER }, parent);
    let outcome = 'ok';
    try {
      await context.with(trace.setSpan(parent, span), work);
    } catch (error) {
      const known = error instanceof AlgaError ? error : new AlgaError('internal', undefined, { cause: error });
      outcome = known.code;
      span.setStatus({ code: SpanStatusCode.ERROR, message: outcome });
      if (known.code === 'internal') this.#logger.error({ err: error, channel: name }, 'handler failed');
      refuse(known);
    } finally {
      span.end();
      this.#served.record(performance.now() - started, { channel: name, outcome });
    }
  }

  #respondError(message: Msg, error: AlgaError): void {
    const headers = natsHeaders();
    headers.set(HEADER_ERROR, error.code);
    message.respond(encodeJson(toProblem(error)), { headers });
  }

  async #watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      if (status.type === 'disconnect') this.#connected = false;
      if (status.type === 'reconnect') this.#connected = true;
      if (status.type === 'disconnect' || status.type === 'reconnect')
        this.#logger.warn({ status: status.type }, 'nats');
      if (status.type === 'error') this.#logger.error({ err: status.error }, 'nats');
    }
    this.#connected = false;
  }
}

function deadlineOf(message: Msg): number {
  const given = Number(message.headers?.get(HEADER_DEADLINE));
  return Number.isInteger(given) && given > 0 ? Math.min(given, MAX_DEADLINE_MS) : DEFAULT_DEADLINE_MS;
}

/** The promise's outcome, or `execution_unknown` as soon as the signal fires. */
async function abandonOn<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {}); // its late failure has been answered for by then
  const { promise: abandoned, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new AlgaError('execution_unknown'));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, abandoned]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
