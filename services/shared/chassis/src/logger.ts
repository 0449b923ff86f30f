import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import type { KnownSecrets } from './known-secrets.ts';

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'child'>;

const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'password',
  'token',
  'secret',
  'secrets',
  'value',
  'values',
  'proof',
  'sealed',
  'dataKey',
  'apiKey',
];

/** Redacts by field name and, whatever the field, by known value. */
export function createLogger(options: {
  service: string;
  instance: string;
  level: string;
  knownSecrets: KnownSecrets;
  destination?: DestinationStream;
}): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service, instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[secret]' },
      serializers: { err: serializeError },
      hooks: { streamWrite: (line) => options.knownSecrets.redact(line) },
      mixin() {
        const span = trace.getActiveSpan()?.spanContext();
        return span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId };
      },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
}

/** How deep a chain of causes is followed. */
const MAX_CAUSES = 4;

// Name, message, code and stack only: other properties of foreign errors carry requests, tokens and bodies.
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: serializeError(error.cause, depth + 1) }),
  };
}
