import { createHmac, randomUUID } from 'node:crypto';

/** No request of ours takes this long on a healthy stack. */
const DEADLINE_MS = 30_000;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed when it is JSON, else text. */
  readonly body: unknown;
}

interface PlatformUrls {
  readonly gateway: string;
  readonly controlPlane: string;
  readonly registry: string;
  readonly secretsBroker: string;
}

/** A refusal where success was expected: its message is the problem document. */
class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The platform over HTTP, as its users see it. */
export class PlatformClient {
  readonly #urls: PlatformUrls;
  readonly #operatorKey: string;

  constructor(urls: PlatformUrls, operatorKey: string) {
    this.#urls = urls;
    this.#operatorKey = operatorKey;
  }

  /** An admin request to the control-plane, as the operator. @throws RefusedError unless the answer is a 2xx. */
  async admin(method: string, path: string, body?: unknown): Promise<unknown> {
    return (await this.#expect(await this.tryAdmin(method, path, body), `${method} ${path}`)).body;
  }

  /** As `admin`, with the refusal as an answer and, if given, somebody else's key. */
  tryAdmin(method: string, path: string, body?: unknown, key = this.#operatorKey): Promise<Answer> {
    return request(
      `${this.#urls.controlPlane}${path}`,
      method,
      key,
      body === undefined ? undefined : JSON.stringify(body),
    );
  }

  /** Calls an extension through the gateway. */
  call(
    apiKey: string,
    extensionId: string,
    path: string,
    init: { method?: string; body?: string } = {},
  ): Promise<Answer> {
    return request(`${this.#urls.gateway}/api/ext/${extensionId}${path}`, init.method ?? 'GET', apiKey, init.body);
  }

  publish(bundle: Uint8Array, key = this.#operatorKey, contentType = 'application/zstd'): Promise<Answer> {
    return request(`${this.#urls.registry}/v1/bundles`, 'POST', key, bundle, { 'content-type': contentType });
  }

  /** Reads the audit trail. @throws RefusedError unless the answer is a 2xx. */
  async audit(path: string): Promise<unknown> {
    const answer = await request(`${this.#urls.secretsBroker}/v1/audit${path}`, 'GET', this.#operatorKey);
    return (await this.#expect(answer, `GET /v1/audit${path}`)).body;
  }

  /**
   * Tells the broker, signed, that the sources behind the references changed. The answer is the acknowledgement of the
   * rotation: a call that begins after it reads the new value (I1).
   */
  notifyRotation(references: readonly string[], secret: string, eventId = randomUUID()): Promise<Answer> {
    const body = JSON.stringify({ id: eventId, type: 'secret.rotated', references });
    const timestamp = Math.floor(Date.now() / 1000);
    const mac = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
    return request(`${this.#urls.secretsBroker}/webhooks/vault`, 'POST', undefined, body, {
      'x-alga-source': 'local',
      'x-alga-signature': `t=${timestamp},v1=${mac}`,
    });
  }

  async #expect(answer: Answer, what: string): Promise<Answer> {
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw new RefusedError(`${what} was refused: ${JSON.stringify(answer.body)}`);
  }
}

async function request(
  url: string,
  method: string,
  key: string | undefined,
  body?: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') ?? false;
  return { status: response.status, headers: response.headers, body: json && text !== '' ? JSON.parse(text) : text };
}
