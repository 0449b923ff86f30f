import type { ExecuteResponse } from 'alga:extension/types@1.0.0';
import { encodeText } from './bytes.ts';

/** A response without the ceremony of `Response`. */
export interface ExtensionResponse {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const PARTS: ReadonlySet<string> = new Set(['status', 'headers', 'body']);

/** A JSON response. @throws TypeError where `value` has no JSON form. */
export function json(value: unknown, init: Omit<ExtensionResponse, 'body'> = {}): ExtensionResponse {
  const body = JSON.stringify(value);
  if (body === undefined) throw new TypeError('json(value): the value has no JSON form');
  return {
    status: init.status ?? 200,
    headers: { 'content-type': 'application/json', ...init.headers },
    body,
  };
}

/** What a handler returned, in the shape of the WIT. @throws TypeError for anything that is not a response. */
export async function toWire(returned: unknown): Promise<ExecuteResponse> {
  if (returned instanceof Response) return fromStandard(returned);
  if (typeof returned !== 'object' || returned === null || Array.isArray(returned)) {
    const what = returned === null || returned === undefined ? 'nothing' : 'a bare value';
    throw new TypeError(`the handler returned ${what}: return json(value), { status, headers, body } or a Response`);
  }
  const stranger = Object.keys(returned).find((key) => !PARTS.has(key));
  if (stranger !== undefined) {
    throw new TypeError(`the handler returned an object with "${stranger}": to send it as JSON, return json(value)`);
  }
  const { status = 200, headers = {}, body } = returned as ExtensionResponse;
  const wire = {
    status: statusOf(status),
    headers: Object.entries(headers).map(([name, value]) => ({ name, value: String(value) })),
  };
  if (body === undefined) return wire;
  return { ...wire, body: typeof body === 'string' ? encodeText(body) : body };
}

async function fromStandard(response: Response): Promise<ExecuteResponse> {
  return {
    status: statusOf(response.status),
    headers: [...response.headers]
      // The host counts the bytes that it really sends.
      .filter(([name]) => name !== 'content-length')
      .map(([name, value]) => ({ name, value })),
    body: new Uint8Array(await response.arrayBuffer()),
  };
}

// The WIT type is a u16, which would wrap around without a word.
function statusOf(status: number): number {
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new TypeError(`the handler returned status ${status}: it must be an integer from 200 to 599`);
}
