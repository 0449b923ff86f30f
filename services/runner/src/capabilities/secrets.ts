import type { KnownSecrets } from '@alga/chassis';
import type { SecretAccess } from '../core/audit-event.ts';
import { type Envelope, hasExpired } from '../core/envelope.ts';
import type { SecretSet, SecretsLookup } from '../core/secrets-cache.ts';
import type { HostResult } from '../sandbox/protocol.ts';
import { type CallScope, type Capability, ok, refused } from './capability.ts';

/** Where a lookup does not say when to come back. */
const RETRY_AFTER_MS = 1_000;
/** Enough of a key to redact a whole value in it before the record cuts it to its own limit. */
const MAX_AUDITED_CHARS = 4_096;

export interface SecretsParts {
  readonly envelope: Envelope;
  readonly lookup: (envelope: Envelope, requestId: string) => Promise<SecretsLookup>;
  readonly audit: (access: SecretAccess) => void;
  readonly knownSecrets: Pick<KnownSecrets, 'add' | 'remove' | 'redact'>;
  /** Wall clock. */
  readonly nowMs: () => number;
}

/** The secrets of one request: what its guest read, under which version, and whether the backend failed it. */
export class RequestSecrets {
  readonly #parts: SecretsParts;
  readonly #scope: CallScope;
  readonly #read = new Set<string>();
  /** The first set that was found: a request sees one version throughout. */
  #set: SecretSet | undefined;
  #retryAfterMs: number | undefined;

  constructor(parts: SecretsParts, scope: CallScope) {
    this.#parts = parts;
    this.#scope = scope;
  }

  /** Version of the secrets that were read, if any were. */
  get version(): number | undefined {
    return this.#set?.version;
  }

  /** Set where the backend could not be reached: when to try again, in ms. */
  get retryAfterMs(): number | undefined {
    return this.#retryAfterMs;
  }

  /** What the guest has read so far: values that its own words may hold. */
  get values(): Iterable<string> {
    return this.#read;
  }

  capability(): Capability {
    return { get: (args) => this.#get(args[0]), listKeys: () => this.#list() };
  }

  /** Audits a call that was refused for want of the capability. */
  deniedFor(hostFunction: string, args: readonly unknown[]): void {
    if (hostFunction === 'get') this.#audit('secrets.get', 'denied', args[0]);
    if (hostFunction === 'listKeys') this.#audit('secrets.list', 'denied');
  }

  /** From here on the guest's log lines are no longer this request's: its values need not be known for it any more. */
  release(): void {
    for (const value of this.#read) this.#parts.knownSecrets.remove(value);
    this.#read.clear();
  }

  async #get(key: unknown): Promise<HostResult> {
    const found = await this.#find();
    if (!found.ok) {
      this.#audit('secrets.get', found.error, key);
      return refused(found.error);
    }
    // Whatever is no key of the set is simply not in it: `__proto__`, a megabyte of text, a number.
    const secret = typeof key === 'string' ? found.secrets.values.get(key) : undefined;
    if (secret === undefined) {
      this.#audit('secrets.get', 'missing', key, found.secrets.version);
      return refused('missing');
    }
    const value = secret.reveal();
    // Known for as long as this request can log it, even if the cache forgets it meanwhile (I3).
    if (!this.#read.has(value)) this.#parts.knownSecrets.add(value);
    this.#read.add(value);
    this.#audit('secrets.get', 'read', key, found.secrets.version);
    return ok(value);
  }

  async #list(): Promise<HostResult> {
    const found = await this.#find();
    if (!found.ok) {
      this.#audit('secrets.list', found.error);
      return refused(found.error);
    }
    this.#audit('secrets.list', 'read', undefined, found.secrets.version);
    return ok([...found.secrets.values.keys()].sort());
  }

  async #find(): Promise<{ ok: true; secrets: SecretSet } | Extract<SecretsLookup, { ok: false }>> {
    if (hasExpired(this.#parts.envelope.claims, this.#parts.nowMs())) return { ok: false, error: 'expired' };
    if (this.#set !== undefined) return { ok: true, secrets: this.#set };
    const found = await this.#parts.lookup(this.#parts.envelope, this.#scope.requestId);
    if (!found.ok) {
      if (found.error === 'unavailable') this.#retryAfterMs = found.retryAfterMs ?? RETRY_AFTER_MS;
      return found;
    }
    this.#set ??= found.secrets;
    this.#retryAfterMs = undefined;
    return { ok: true, secrets: this.#set };
  }

  #audit(
    operation: SecretAccess['operation'],
    outcome: SecretAccess['outcome'],
    key?: unknown,
    version?: number,
  ): void {
    this.#parts.audit({
      operation,
      outcome,
      // A guest may ask for a key that is a value: the trail must not become a place to keep it (I3).
      ...(typeof key === 'string' ? { key: this.#parts.knownSecrets.redact(key.slice(0, MAX_AUDITED_CHARS)) } : {}),
      ...(version === undefined ? {} : { secretsVersion: version }),
    });
  }
}
