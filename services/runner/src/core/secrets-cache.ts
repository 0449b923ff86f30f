import type { Secret } from '@alga/contracts';
import type { Envelope } from './envelope.ts';
import { claimedVersion, openEntry, sealEntry } from './sealed-entry.ts';
import { SingleFlight } from './single-flight.ts';
import type { Store } from './store.ts';

/** An entry is dropped this long after the request that fetched it was sent, on the monotonic clock. */
export const L1_TTL_MS = 30_000;
/** The shared cache may hold an entry longer: each use of it is redeemed and audited, and needs the current version. */
const L2_TTL_MS = 600_000;
/** For all redemptions of one lookup together: whoever waits for a secret learns within it that there is none to be had. */
const REDEEM_BUDGET_MS = 2_000;
/** A caller whose floor rose while it waited asks again; more often means that something is wrong. */
const MAX_ROUNDS = 4;

/** All secrets of an install at one version. */
export interface SecretSet {
  readonly version: number;
  readonly values: ReadonlyMap<string, Secret>;
}

export type SecretsFailure = 'denied' | 'expired' | 'unavailable' | 'internal';

export type SecretsLookup =
  | { readonly ok: true; readonly secrets: SecretSet; readonly source: 'l1' | 'l2' | 'broker' }
  | { readonly ok: false; readonly error: SecretsFailure; readonly retryAfterMs?: number };

export type Redemption =
  | {
      readonly ok: true;
      readonly secretsVersion: number;
      /** 32 bytes, for exactly this install and version. */
      readonly dataKey: Uint8Array;
      /** Present where they were wanted. */
      readonly values?: ReadonlyMap<string, Secret>;
    }
  | { readonly ok: false; readonly error: SecretsFailure; readonly retryAfterMs?: number };

export interface RedeemRequest {
  readonly envelope: Envelope;
  readonly requestId: string;
  readonly want: 'values' | 'data-key';
  readonly deadlineMs: number;
}

/** The shared cache: best effort, never throws. */
export interface SharedEntries {
  get(key: string): Promise<Uint8Array | undefined>;
  set(key: string, entry: Uint8Array, ttlMs: number): Promise<unknown>;
  delete(key: string): Promise<unknown>;
}

export interface CachedSecrets extends SecretSet {
  /** Monotonic ms at which the fetch was begun: what is true of a value is true as of then, not of its arrival. */
  readonly since: number;
}

interface SecretsCacheParts {
  /** Never rejects. */
  readonly redeem: (request: RedeemRequest) => Promise<Redemption>;
  /** L1, bounded. Whatever leaves it must be disposed of by the store. */
  readonly entries: Store<CachedSecrets>;
  readonly shared: SharedEntries;
  /** Monotonic clock, ms. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly onFault: (reason: string) => void;
}

/**
 * Secrets of installs, by version floor: a lookup under an envelope with floor `sv` never returns a version below it,
 * whatever events were lost, doubled or forged. Events only make the cache forget.
 */
export class SecretsCache {
  readonly #parts: SecretsCacheParts;
  readonly #flights = new SingleFlight<SecretsLookup>();

  constructor(parts: SecretsCacheParts) {
    this.#parts = parts;
  }

  async lookup(envelope: Envelope, requestId: string): Promise<SecretsLookup> {
    const floor = envelope.claims.sv;
    const key = keyOf(envelope.claims.tenantId, envelope.claims.installId);
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const held = this.#held(key, floor);
      if (held !== undefined) return { ok: true, secrets: held, source: 'l1' };
      const { outcome, joined } = this.#flights.run(key, () => this.#fetch(envelope, requestId));
      const lookup = await outcome;
      if (lookup.ok ? lookup.secrets.version >= floor : !joined || lookup.error === 'unavailable') return lookup;
      // Joined a flight for a lower floor, or one that failed for its own envelope: take off with ours.
    }
    this.#parts.onFault('lookups of one install keep failing for other callers');
    return { ok: false, error: 'unavailable' };
  }

  /**
   * Forgets what is older than `version`. A late event finds a newer entry and leaves it; a forged one costs a redemption.
   * `version` undefined: forgets whatever there is (the install was suspended or removed).
   */
  async evict(tenantId: string, installId: string, version: number | undefined): Promise<void> {
    const key = keyOf(tenantId, installId);
    const held = this.#parts.entries.get(key);
    if (held !== undefined && version !== undefined && held.version >= version) return;
    this.#parts.entries.delete(key);
    await this.#parts.shared.delete(sharedKeyOf(tenantId, installId));
  }

  #held(key: string, floor: number): CachedSecrets | undefined {
    const { entries, now } = this.#parts;
    const held = entries.get(key);
    if (held === undefined) return undefined;
    if (now() - held.since < L1_TTL_MS) return held.version >= floor ? held : undefined;
    entries.delete(key);
    return undefined;
  }

  async #fetch(envelope: Envelope, requestId: string): Promise<SecretsLookup> {
    const { tenantId, installId, sv } = envelope.claims;
    const sharedKey = sharedKeyOf(tenantId, installId);
    const since = this.#parts.now();
    const entry = await this.#parts.shared.get(sharedKey);
    const claimed = entry === undefined ? undefined : claimedVersion(entry);
    if (entry !== undefined && claimed !== undefined && claimed >= sv) {
      const redeemed = await this.#redeem(envelope, requestId, 'data-key', since);
      if (!redeemed.ok) return redeemed;
      const identity = { tenantId, installId, secretsVersion: redeemed.secretsVersion };
      const values = openEntry(identity, entry, redeemed.dataKey);
      if (values !== undefined) return this.#keep(envelope, { version: redeemed.secretsVersion, values, since }, 'l2');
      // Another version, or swapped or damaged: of no use, and the values are fetched as if it were not there.
    }
    const redeemed = await this.#redeem(envelope, requestId, 'values', since);
    if (!redeemed.ok) return redeemed;
    const { secretsVersion, dataKey, values } = redeemed;
    if (values === undefined) return this.#refuse('a redemption of values came without them');
    const kept = this.#keep(envelope, { version: secretsVersion, values, since }, 'broker');
    if (kept.ok) {
      const iv = this.#parts.randomBytes(12);
      const sealed = sealEntry({ tenantId, installId, secretsVersion }, values, dataKey, iv);
      await this.#parts.shared.set(sharedKey, sealed, L2_TTL_MS);
    }
    return kept;
  }

  async #redeem(
    envelope: Envelope,
    requestId: string,
    want: RedeemRequest['want'],
    since: number,
  ): Promise<Redemption> {
    const deadlineMs = REDEEM_BUDGET_MS - (this.#parts.now() - since);
    return deadlineMs > 0
      ? this.#parts.redeem({ envelope, requestId, want, deadlineMs })
      : { ok: false, error: 'unavailable' };
  }

  #keep(envelope: Envelope, fetched: CachedSecrets, source: 'l2' | 'broker'): SecretsLookup {
    const { tenantId, installId, sv } = envelope.claims;
    if (fetched.version < sv) return this.#refuse('the broker supplied less than the version floor');
    const key = keyOf(tenantId, installId);
    // Versions never go backward, in whatever order the replies came.
    const newer = this.#held(key, fetched.version + 1);
    if (newer !== undefined) return { ok: true, secrets: newer, source: 'l1' };
    this.#parts.entries.set(key, fetched);
    return { ok: true, secrets: fetched, source };
  }

  #refuse(reason: string): SecretsLookup {
    this.#parts.onFault(reason);
    return { ok: false, error: 'unavailable' };
  }
}

// Identifiers hold no such character (contracts): two installs never share a key.
const keyOf = (tenantId: string, installId: string): string => `${tenantId}|${installId}`;
const sharedKeyOf = (tenantId: string, installId: string): string => `alga:l2:${tenantId}:${installId}`;
