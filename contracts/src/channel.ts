import { decodeFrame, decodeJson, encodeFrame, encodeJson, type Framed } from './frame.ts';
import type { Messages } from './generated/types.ts';
import { fillSubject, wildcardSubject } from './subjects.ts';
import { type Parsed, parse } from './validate.ts';

export const SERVICES = ['gateway', 'control-plane', 'registry', 'secrets-broker', 'runner'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Turns messages of one shape into bytes and back; decoding validates. */
interface Codec<T> {
  readonly schema: keyof Messages;
  readonly framed: boolean;
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): Parsed<T>;
}

interface Addressed {
  /** The subject with its parameters filled in. */
  subject(params?: Readonly<Record<string, string>>): string;
  /** The subject to listen on for all parameters. */
  readonly wildcard: string;
  readonly producers: readonly ServiceName[];
  readonly consumers: readonly ServiceName[];
}

/** A request and its reply. */
export interface RequestChannel<Req, Rep> extends Addressed {
  readonly kind: 'request';
  readonly request: Codec<Req>;
  readonly reply: Codec<Rep>;
  /** Consumers share the load under this queue group; none: each consumer has its own subject. */
  readonly queue: string | undefined;
}

/** A message nobody answers. `durable`: kept by JetStream, published with an acknowledgement. */
export interface EventChannel<T> extends Addressed {
  readonly kind: 'event';
  readonly message: Codec<T>;
  readonly durable: boolean;
}

/** @throws TypeError on encode when our own message does not match its schema: a fault of the sender, found there. */
export function json<S extends keyof Messages>(schema: S): Codec<Messages[S]> {
  return {
    schema,
    framed: false,
    encode: (value) => encodeJson(checked(schema, value)),
    decode(bytes) {
      const raw = decodeJson(bytes);
      return raw.ok ? parse(schema, raw.value) : raw;
    },
  };
}

/** As `json`, for a head that is followed by a raw body. */
export function framed<S extends keyof Messages>(schema: S): Codec<Framed<Messages[S]>> {
  return {
    schema,
    framed: true,
    encode: (value) => encodeFrame(checked(schema, value.head), value.body),
    decode(bytes) {
      const raw = decodeFrame(bytes);
      if (!raw.ok) return raw;
      const head = parse(schema, raw.value.head);
      return head.ok ? { ok: true, value: { head: head.value, body: raw.value.body } } : head;
    },
  };
}

function checked<S extends keyof Messages>(schema: S, value: Messages[S]): Messages[S] {
  const parsed = parse(schema, value);
  if (parsed.ok) return parsed.value;
  const why = parsed.errors.map((e) => `${e.field} ${e.reason}`).join('; ');
  throw new TypeError(`outgoing ${schema} does not match its schema: ${why}`);
}

const addressed = (pattern: string, producers: readonly ServiceName[], consumers: readonly ServiceName[]) => ({
  subject: (params?: Readonly<Record<string, string>>) => fillSubject(pattern, params),
  wildcard: wildcardSubject(pattern),
  producers,
  consumers,
});

export const requestChannel = <Req, Rep>(
  pattern: string,
  request: Codec<Req>,
  reply: Codec<Rep>,
  from: readonly ServiceName[],
  to: ServiceName,
  queue: string | undefined = to,
): RequestChannel<Req, Rep> => ({ kind: 'request', ...addressed(pattern, from, [to]), request, reply, queue });

export const eventChannel = <T>(
  pattern: string,
  message: Codec<T>,
  from: readonly ServiceName[],
  to: readonly ServiceName[],
  durable: boolean,
): EventChannel<T> => ({ kind: 'event', ...addressed(pattern, from, to), message, durable });
