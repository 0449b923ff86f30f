// The one file that meets the host's interfaces. `alga build` leaves out of the component those interfaces that the
// manifest names no capability of; calling them is then refused as `denied`, as an ungranted capability is.

import * as config from 'alga:extension/config@1.0.0';
import * as http from 'alga:extension/http@1.0.0';
import * as logging from 'alga:extension/logging@1.0.0';
import * as secrets from 'alga:extension/secrets@1.0.0';
import * as storage from 'alga:extension/storage@1.0.0';
import type { ExecuteRequest, ExecuteResponse } from 'alga:extension/types@1.0.0';
import { configClient } from './config.ts';
import { httpClient } from './http.ts';
import { logger } from './logging.ts';
import { secretsClient } from './secrets.ts';
import { type Handler, type Host, serve } from './serve.ts';
import { storageClient } from './storage.ts';

const host: Host = {
  secrets: secretsClient(secrets),
  config: configClient(config),
  http: httpClient(http),
  storage: storageClient(storage),
  log: logger(logging),
};

/**
 * Makes an extension of a function: `export default handler(async ({ request, secrets }) => json({ ... }))`.
 * The result is the `handler` that the WIT world exports.
 */
export function handler(author: Handler): (request: ExecuteRequest) => Promise<ExecuteResponse> {
  return (request) => serve(author, host, request);
}
