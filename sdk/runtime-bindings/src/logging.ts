type Host = Pick<typeof import('alga:extension/logging@1.0.0'), 'logInfo' | 'logWarn' | 'logError'>;

/** Log lines of the extension; the host adds tenant, install and request. Never pass a secret. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const logger = (host: Host): Logger => ({
  info: (message, fields) => host.logInfo(line(message, fields)),
  warn: (message, fields) => host.logWarn(line(message, fields)),
  error: (message, fields) => host.logError(line(message, fields)),
});

function line(message: string, fields: Readonly<Record<string, unknown>> | undefined): string {
  return fields === undefined ? message : `${message} ${JSON.stringify(fields)}`;
}

/**
 * Sends `console` to the log, where the engine would write it to standard output and lose the level. Called per request
 * and not at start, because a host call during the build ends the build.
 */
export function redirectConsole(log: Logger): void {
  const via =
    (write: (message: string) => void) =>
    (...values: unknown[]) =>
      write(values.map(display).join(' '));
  console.log = via(log.info);
  console.info = via(log.info);
  console.debug = via(log.info);
  console.warn = via(log.warn);
  console.error = via(log.error);
}

function display(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // Cycles and bigints have no JSON form; a log call must not fail for that.
    return String(value);
  }
}
