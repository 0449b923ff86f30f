import { readFile } from 'node:fs/promises';
import { decodeJson } from '@alga/contracts';
import vault from 'node-vault';
import { CHAIN_FIELD, parseReference } from '../core/reference.ts';
import { checkedSecret, type Reading, SourceTrouble, secretFromFile } from '../core/secret-reading.ts';
import type { SecretProvider } from '../ports/secret-provider.ts';

const SOURCE = 'vault';
/** Below the 2 s in which a caller of ours must have its 503. Covers the whole answer: a dripping one too. */
const TIMEOUT_MS = 1_500;
/** An entry of many fields, each up to 64 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const NOT_FOUND = 404;
/** Of Vault's own words, in a log line. */
const MAX_REASON_LENGTH = 200;

interface VaultOptions {
  readonly address: string;
  /** Read at every use: an agent beside us renews it. */
  readonly tokenFile: string;
  readonly namespace: string | undefined;
  /** Where the chain looks, as `<mount>/<path>`. */
  readonly chainFolder: string;
}

/** What node-vault hands to its transport. */
interface TransportRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
}

/** Vault's KV version 2. */
export class VaultProvider implements SecretProvider {
  readonly #options: VaultOptions;
  readonly #client: ReturnType<typeof vault>;

  constructor(options: VaultOptions) {
    this.#options = options;
    this.#client = vault({
      apiVersion: 'v1',
      endpoint: options.address,
      // Each request carries its own token; with none here the library would take VAULT_TOKEN.
      token: 'unused',
      debug: () => undefined, // it prints what is written
      'request-promise': { defaults: () => send },
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    });
    // What the library took from variables of its own accord.
    Object.assign(this.#client, { pathPrefix: '', namespace: options.namespace });
  }

  async read(reference: string, signal: AbortSignal): Promise<Reading> {
    const parsed = parseReference(reference);
    if (parsed?.kind !== 'vault') throw new SourceTrouble(SOURCE, 'the reference is not one of Vault');
    const headers = { 'X-Vault-Token': await this.#token() };
    let body: unknown;
    try {
      body = await this.#client.read(`${parsed.mount}/data/${parsed.path}`, {
        headers,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (error) {
      if (isAbsent(error)) return { outcome: 'not_found' };
      throw sanitised(error);
    }
    return readingOf(body, parsed.field);
  }

  locate(chainName: string): string | undefined {
    return `vault:${this.#options.chainFolder}/${chainName}#${CHAIN_FIELD}`;
  }

  async #token(): Promise<string> {
    try {
      return secretFromFile(SOURCE, await readFile(this.#options.tokenFile)).reveal();
    } catch {
      throw new SourceTrouble(SOURCE, 'the token file cannot be used');
    }
  }
}

/**
 * The library's own transport follows redirects to other hosts with the token, obeys proxy variables and ignores
 * `maxRedirects`; this one does none of it. Its answer is what the library expects of a transport.
 */
async function send({ method, uri, headers, signal }: TransportRequest) {
  const response = await fetch(uri, { method, headers, redirect: 'manual', signal });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new SourceTrouble(SOURCE, `the answer is over ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const body = decodeJson(Buffer.concat(chunks));
  return {
    statusCode: response.status,
    body: body.ok ? body.value : undefined,
    request: { path: new URL(uri).pathname },
  };
}

interface Failure {
  readonly status: number;
  readonly body: { readonly errors?: unknown; readonly data?: unknown } | null | undefined;
}

function failureOf(error: unknown): Failure | undefined {
  const { response } = error as { response?: { statusCode?: unknown; body?: unknown } };
  if (typeof response?.statusCode !== 'number') return undefined;
  const { body } = response;
  return { status: response.statusCode, body: typeof body === 'object' ? body : undefined };
}

/** Missing: `errors: []`. Deleted: `data.data: null`. A 404 with a reason (no such mount) or from a proxy is neither. */
function isAbsent(error: unknown): boolean {
  const failure = failureOf(error);
  if (failure?.status !== NOT_FOUND) return false;
  const { errors, data } = failure.body ?? {};
  if (Array.isArray(errors)) return errors.length === 0;
  return typeof data === 'object' && data !== null && (data as { data?: unknown }).data === null;
}

/** Status and Vault's own `errors` only: the original carries request, token and body. */
function sanitised(error: unknown): SourceTrouble {
  if (error instanceof SourceTrouble) return error;
  const failure = failureOf(error);
  if (failure === undefined) {
    const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } };
    const late = name === 'TimeoutError' || name === 'AbortError';
    return new SourceTrouble(SOURCE, late ? 'no answer in time' : `no answer (${String(cause?.code ?? 'unknown')})`);
  }
  const { errors } = failure.body ?? {};
  const reasons = Array.isArray(errors) ? errors.filter((reason) => typeof reason === 'string').join('; ') : '';
  const plain = reasons.replace(/\s+/g, ' ').trim().slice(0, MAX_REASON_LENGTH);
  return new SourceTrouble(SOURCE, `status ${failure.status}${plain === '' ? '' : `: ${plain}`}`);
}

function readingOf(body: unknown, field: string): Reading {
  const { data, metadata } =
    (body as { data?: { data?: unknown; metadata?: { version?: unknown } } } | null)?.data ?? {};
  if (typeof data !== 'object' || data === null || !Number.isInteger(metadata?.version)) {
    throw new SourceTrouble(SOURCE, 'the answer is not that of a KV version 2 engine');
  }
  if (!Object.hasOwn(data, field)) return { outcome: 'not_found' };
  const value = (data as Record<string, unknown>)[field];
  if (typeof value !== 'string') throw new SourceTrouble(SOURCE, 'the field does not hold text');
  return {
    outcome: 'found',
    value: checkedSecret(SOURCE, value),
    version: String(metadata?.version),
  };
}
