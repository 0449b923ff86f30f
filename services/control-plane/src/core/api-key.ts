import { createHash, timingSafeEqual } from 'node:crypto';
import type { ApikeyVerifyReply } from '@alga/contracts';
import { type RandomBytes, randomName } from './random.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Who asks: an API key that is neither revoked nor expired. No tenant: a platform operator's. */
export type Principal = ApikeyVerifyReply;
export type Scope = Principal['scopes'][number];

const KEY_BYTES = 32;
const DAY_MS = 24 * 60 * 60 * 1000;
/** `alga_` and four characters: enough to tell keys apart in a list, nowhere near enough to guess one. */
const PREFIX_CHARS = 9;

/** Hex SHA-256 of the whole key text: what is stored and what crosses the bus. A random key needs no slow hash. */
export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex');

/** What may be shown of a key. */
export const displayPrefix = (key: string): string => key.slice(0, PREFIX_CHARS);

export interface IssuedKey {
  readonly keyId: string;
  /** Shown once. */
  readonly key: string;
  readonly expiresAt: Date | undefined;
}

export function issueApiKey(expiresInDays: number | undefined, nowMs: number, random: RandomBytes): IssuedKey {
  return {
    keyId: `key_${randomName(16, random)}`,
    key: `alga_${Buffer.from(random(KEY_BYTES)).toString('base64url')}`,
    expiresAt: expiresInDays === undefined ? undefined : new Date(nowMs + expiresInDays * DAY_MS),
  };
}

/** An operator may administer every tenant, an admin key its own. Absent: allowed. */
export function refuseAdmin(principal: Principal, tenantId: string): Refusal | undefined {
  if (principal.scopes.includes('operator')) return undefined;
  if (principal.scopes.includes('admin') && principal.tenantId === tenantId) return undefined;
  return refuse('forbidden');
}

/** Published extensions are everybody's: only an operator lets a tenant's key publish. Absent: allowed. */
export function refuseScopes(principal: Principal, wanted: readonly Scope[]): Refusal | undefined {
  if (principal.scopes.includes('operator') || !wanted.includes('publish')) return undefined;
  return refuse('forbidden', 'Only an operator gives the scope publish.', {
    errors: [{ field: '/scopes', reason: 'publish needs an operator key' }],
  });
}

/**
 * Sources hold the secrets of every tenant and of the platform, under names that anybody can guess: whoever could point an
 * install at any of them could have a guest of his read it out. So only an operator hands one out. Absent: allowed.
 */
export function refuseReference(principal: Principal): Refusal | undefined {
  if (principal.scopes.includes('operator')) return undefined;
  return refuse('forbidden', 'Only an operator points a secret at a source.', {
    errors: [{ field: '/reference', reason: 'needs an operator key; a tenant sets a value' }],
  });
}

const BEARER = /^Bearer ([\x21-\x7e]{8,256})$/i;

/** The credential of an `authorization` header, if there is one of a plausible shape. */
export function bearerCredential(header: string | undefined): string | undefined {
  return header === undefined ? undefined : BEARER.exec(header)?.[1];
}

/** Compares in a time that depends on neither text. */
export function sameCredential(given: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
