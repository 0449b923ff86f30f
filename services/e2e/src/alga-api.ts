import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Tickets that exist in this API; a cursor walks round and round through them. */
const TICKETS = 500;
const MAX_PAGE = 100;

export interface AlgaApi {
  readonly origin: string;
  /** From now on the key is accepted and answered with its generation. Earlier keys stay valid, as during a rotation. */
  acceptKey(key: string, generation: number): void;
  close(): Promise<void>;
}

/**
 * The outbound service that the sample extension calls: an HTTP API that wants a key and an account token, and says with
 * which generation of the key it was called, so that a stale read shows in the answer.
 */
export async function startAlgaApi(options: { port: number; accountToken: string }): Promise<AlgaApi> {
  const generations = new Map<string, number>();
  const server = createServer((request, response) => {
    const generation = generations.get(bearer(request) ?? '');
    if (generation === undefined) return send(response, 401, { error: 'unknown_key' });
    if (request.headers['x-alga-account'] !== options.accountToken)
      return send(response, 403, { error: 'wrong_account' });
    const url = new URL(request.url ?? '/', 'http://alga-api');
    if (request.method !== 'GET' || url.pathname !== '/v1/tickets') return send(response, 404, { error: 'not_found' });
    send(response, 200, { ...page(url.searchParams), keyGeneration: generation });
  });
  server.listen(options.port, '127.0.0.1');
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new Error(
              `Port ${options.port} is taken, and the sample's manifest allows its API there only: free that port.`,
            )
          : cause,
      ),
    );
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acceptKey: (key, generation) => void generations.set(key, generation),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function page(query: URLSearchParams): { tickets: object[]; cursor: string } {
  const after = Number(query.get('after')?.replace(/^t-/, '') ?? 0) || 0;
  const limit = Math.min(Number(query.get('limit')) || 20, MAX_PAGE);
  const tickets = Array.from({ length: limit }, (_, index) => {
    const number = ((after + index) % TICKETS) + 1;
    return { id: `t-${number}`, title: `Ticket ${number}`, status: number % 3 === 0 ? 'closed' : 'open' };
  });
  return { tickets, cursor: `t-${(after + limit) % TICKETS}` };
}

const bearer = (request: IncomingMessage): string | undefined => request.headers.authorization?.replace(/^Bearer /, '');

function send(response: ServerResponse, status: number, body: object): void {
  const payload = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) });
  response.end(payload);
}
