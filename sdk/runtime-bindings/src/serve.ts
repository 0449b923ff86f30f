import type { ContextData, ExecuteRequest, ExecuteResponse } from 'alga:extension/types@1.0.0';
import type { ConfigClient } from './config.ts';
import type { HttpClient } from './http.ts';
import { type Logger, redirectConsole } from './logging.ts';
import { type ExtensionRequest, extensionRequest } from './request.ts';
import { type ExtensionResponse, toWire } from './response.ts';
import type { SecretsClient } from './secrets.ts';
import type { StorageClient } from './storage.ts';

/** A frame of the engine's own glue, named after a temporary folder of the machine that built the component. */
const OWN_FRAME = /initializer\.js/;

/** The host as an extension sees it. */
export interface Host {
  readonly secrets: SecretsClient;
  readonly config: ConfigClient;
  readonly http: HttpClient;
  readonly storage: StorageClient;
  readonly log: Logger;
}

/** What a handler is given. */
export interface HandlerInput extends Host {
  readonly request: ExtensionRequest;
  /** Request, tenant, extension, install and version ids, as the host states them. */
  readonly context: Readonly<ContextData>;
}

/**
 * The code of an extension. An error it throws is logged and fails the call: the caller sees a 502 and never the message.
 */
export type Handler = (input: HandlerInput) => Promise<Response | ExtensionResponse> | Response | ExtensionResponse;

/** Answers one request of the WIT by a handler. */
export async function serve(author: Handler, host: Host, wire: ExecuteRequest): Promise<ExecuteResponse> {
  redirectConsole(host.log);
  try {
    const input = { ...host, request: extensionRequest(wire.http), context: Object.freeze({ ...wire.context }) };
    return await toWire(await author(input));
  } catch (error) {
    // The engine turns what is thrown from here into a trap without a text: this line is all that tells what happened.
    host.log.error(describe(error));
    throw error;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `the handler threw a ${typeof error} that is not an Error`;
  const frames = (error.stack ?? '').split('\n').filter((frame) => frame !== '' && !OWN_FRAME.test(frame));
  return [`${error.name}: ${error.message}`, ...frames].join('\n');
}
