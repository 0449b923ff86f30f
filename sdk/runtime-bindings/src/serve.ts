import type { ContextData, ExecuteRequest, ExecuteResponse } from 'alga:extension/types@1.0.0';
import type { ConfigClient } from './config.ts';
import type { HttpClient } from './http.ts';
import { type Logger, redirectConsole } from './logging.ts';
import { type ExtensionRequest, extensionRequest } from './request.ts';
import { type ExtensionResponse, toWire } from './response.ts';
import type { SecretsClient } from './secrets.ts';
import type { StorageClient } from './storage.ts';

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
 * The code of an extension. An error it throws fails the call: the caller sees a 502 and never the message, which goes to
 * the extension's log.
 */
export type Handler = (input: HandlerInput) => Promise<Response | ExtensionResponse> | Response | ExtensionResponse;

/** Answers one request of the WIT by a handler. @throws what the handler throws; TypeError where it returns no response. */
export async function serve(author: Handler, host: Host, wire: ExecuteRequest): Promise<ExecuteResponse> {
  redirectConsole(host.log);
  const input = { ...host, request: extensionRequest(wire.http), context: Object.freeze({ ...wire.context }) };
  return toWire(await author(input));
}
