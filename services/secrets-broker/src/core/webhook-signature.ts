import { createHmac, timingSafeEqual } from 'node:crypto';
import { Secret } from '@alga/contracts';

/** A sender of notifications. Several secrets are valid at once while one is being replaced. */
export type WebhookSources = ReadonlyMap<string, readonly Secret[]>;

type SignatureVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: 'webhook_unsigned' | 'webhook_stale' };

/** How far a notification's time may be from ours, either way, in seconds. */
const WINDOW_S = 300;
const HEADER = /^t=([0-9]{1,12}),v1=([0-9a-f]{64})$/;
const SOURCE_ID = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;
/** 32 characters of base64url are 192 bits. */
const MIN_SECRET_LENGTH = 32;

/**
 * Judges `x-alga-signature: t=<unix seconds>,v1=<hex>`: HMAC-SHA-256 under the source's secret (its text as UTF-8) over
 * `<t>.` and the body's bytes as they arrived. A header sent twice arrives joined and matches nothing.
 */
export function checkSignature(
  header: string | undefined,
  body: Uint8Array,
  secrets: readonly Secret[],
  nowMs: number,
): SignatureVerdict {
  const match = HEADER.exec(header ?? '');
  if (match === null) return { ok: false, code: 'webhook_unsigned' };
  const [, time = '', signature = ''] = match;
  const given = Buffer.from(signature, 'hex');
  // Every secret is tried, so that the time taken does not tell which one matched.
  const matches = secrets.filter((secret) =>
    timingSafeEqual(given, createHmac('sha256', secret.reveal()).update(`${time}.`).update(body).digest()),
  );
  if (matches.length === 0) return { ok: false, code: 'webhook_unsigned' };
  const off = Math.abs(Math.floor(nowMs / 1000) - Number(time));
  return off > WINDOW_S ? { ok: false, code: 'webhook_stale' } : { ok: true };
}

/** From the content of the webhook secrets file. @throws Error with a reason that quotes no secret. */
export function parseWebhookSources(json: unknown): WebhookSources {
  const list = (json as { sources?: unknown } | null)?.sources;
  if (!Array.isArray(list)) throw new Error('it has no list of sources');
  const sources = new Map<string, readonly Secret[]>();
  for (const [index, source] of list.entries()) {
    const { id, secrets } = (source ?? {}) as Record<string, unknown>;
    if (typeof id !== 'string' || !SOURCE_ID.test(id)) throw new Error(`source ${index} has no usable id`);
    if (sources.has(id)) throw new Error(`the id of source ${index} appears twice`);
    const usable = (text: unknown): text is string => typeof text === 'string' && text.length >= MIN_SECRET_LENGTH;
    if (!Array.isArray(secrets) || secrets.length === 0 || !secrets.every(usable)) {
      throw new Error(`source ${index} needs secrets of at least ${MIN_SECRET_LENGTH} characters`);
    }
    sources.set(
      id,
      secrets.map((text) => new Secret(text)),
    );
  }
  return sources;
}
