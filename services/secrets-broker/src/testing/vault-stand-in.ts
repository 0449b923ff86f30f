import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How a Vault in trouble answers everything. */
export type VaultTrouble =
  | 'forbidden'
  | 'throttled'
  | 'sealed'
  | 'failing'
  | 'hanging'
  | 'dripping'
  | 'malformed'
  | 'unmounted'
  | 'endless'
  | { readonly redirectTo: string };

type Send = (status: number, body: unknown, headers?: Record<string, string>) => void;

const JSON_TYPE = { 'content-type': 'application/json' };

/** The reading half of Vault's KV version 2 engine over HTTP, as a real server answers. */
export class VaultStandIn {
  readonly token: string;
  trouble: VaultTrouble | undefined;
  /** Headers of every request that arrived. */
  readonly requests: { path: string; token: string | undefined; namespace: string | undefined }[] = [];
  readonly #entries = new Map<string, { version: number; data: Record<string, unknown> | null }>();
  readonly #server = createServer((request, response) => this.#answer(request, response));

  private constructor(token: string) {
    this.token = token;
  }

  static async start(token = 'hvs.stand-in-token'): Promise<VaultStandIn> {
    const vault = new VaultStandIn(token);
    await new Promise<void>((resolve) => vault.#server.listen(0, '127.0.0.1', resolve));
    return vault;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `path` as `<mount>/<path>`. */
  put(path: string, data: Record<string, unknown>): void {
    this.#entries.set(path, { version: (this.#entries.get(path)?.version ?? 0) + 1, data });
  }

  /** As `vault kv delete`: the entry stays, its newest version is gone. */
  delete(path: string): void {
    const version = this.#entries.get(path)?.version ?? 0;
    this.#entries.set(path, { version, data: null });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { 'x-vault-token': token, 'x-vault-namespace': namespace } = request.headers;
    this.requests.push({ path: request.url ?? '', token: token?.toString(), namespace: namespace?.toString() });
    const send: Send = (status, body, headers = {}) => {
      response.writeHead(status, { ...JSON_TYPE, ...headers }).end(JSON.stringify(body));
    };
    if (this.trouble !== undefined) this.#answerInTrouble(this.trouble, response, send);
    else if (token !== this.token) send(403, { errors: ['permission denied'] });
    else this.#answerRead(request, send);
  }

  #answerRead(request: IncomingMessage, send: Send): void {
    const [, mount, path] = /^\/v1\/([^/]+)\/data\/(.+)$/.exec(request.url ?? '') ?? [];
    const entry = this.#entries.get(`${mount}/${path}`);
    if (mount === undefined || request.method !== 'GET') {
      send(404, { errors: ['no handler for route'] });
    } else if (entry === undefined) {
      send(404, { errors: [] });
    } else {
      const metadata = {
        version: entry.version,
        deletion_time: '',
        destroyed: false,
        created_time: '2026-01-01T00:00:00Z',
      };
      send(entry.data === null ? 404 : 200, { data: { data: entry.data, metadata } });
    }
  }

  #answerInTrouble(trouble: VaultTrouble, response: ServerResponse, send: Send): void {
    if (typeof trouble === 'object') {
      send(307, { errors: [] }, { location: trouble.redirectTo });
      return;
    }
    switch (trouble) {
      case 'forbidden':
        send(403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] });
        return;
      case 'throttled':
        send(429, { errors: ['request path "secret/data": rate limit quota exceeded'] }, { 'retry-after': '1' });
        return;
      case 'sealed':
        send(503, { errors: ['Vault is sealed'] });
        return;
      case 'failing':
        send(500, { errors: ['internal error'] });
        return;
      case 'unmounted':
        send(404, { errors: ['no handler for route "secret/data/x". route entry not found.'] });
        return;
      case 'malformed':
        response.writeHead(200, JSON_TYPE).end('{"data":');
        return;
      case 'endless': {
        response.writeHead(200, JSON_TYPE);
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
        return;
      }
      case 'dripping': {
        response.writeHead(200, JSON_TYPE);
        const drip = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(drip));
        return;
      }
      case 'hanging':
        return;
    }
  }
}
