import { AlgaError, type SecretsChangedReply, type SecretsRotated, type WebhookGeneric } from '@alga/contracts';
import type { AuditEntry } from './audit-chain.ts';
import { sameSource } from './reference.ts';

/** One notification of one sender; senders choose their ids independently. */
export interface EventKey {
  readonly source: string;
  readonly eventId: string;
}

export type EventClaim = 'claimed' | 'handled_before' | 'being_handled';

type RotatedInstalls = SecretsChangedReply['installs'];

/** What a rotation needs of the world. Each function throws when it cannot do its part. */
export interface RotationParts {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Where the chain looks in Vault; undefined: nowhere. */
  readonly chainFolder: string | undefined;
  claim(event: EventKey): Promise<EventClaim>;
  finish(event: EventKey, state: 'handled' | 'failed'): Promise<void>;
  /** Proves that the source can be read now. */
  probe(reference: string): Promise<void>;
  /** Moves every install that uses one of the references to a new epoch; resolves after the commit. */
  changed(references: readonly string[], eventId: string): Promise<RotatedInstalls>;
  /** Stores the rotation event. */
  publish(event: SecretsRotated): Promise<void>;
  audit(entries: readonly AuditEntry[]): Promise<void>;
  /** Told about faults: never a value. */
  warn(error: unknown, message: string): void;
}

type Rotation =
  | { readonly outcome: 'rotated'; readonly installs: RotatedInstalls }
  | { readonly outcome: 'replayed' | 'being_handled' | 'unavailable' | 'source_unreadable' };

/** Events under way at once, and entries in one transaction. */
const BATCH = 32;

/**
 * Acts on a notification. It is a hint: the sources are read again, and one that cannot be read moves nothing, since the new
 * epoch would find no values. `rotated` is the acknowledgement: every epoch is committed and every event is stored (I1).
 */
export async function rotate(source: string, event: WebhookGeneric, parts: RotationParts): Promise<Rotation> {
  const key: EventKey = { source, eventId: event.id };
  let claim: EventClaim;
  try {
    claim = await parts.claim(key);
  } catch (error) {
    parts.warn(error, 'a notification could not be claimed');
    return { outcome: 'unavailable' };
  }
  if (claim === 'handled_before') return { outcome: 'replayed' };
  if (claim === 'being_handled') return { outcome: 'being_handled' };
  const result = await handle(key, event, parts);
  const state = result.outcome === 'rotated' ? 'handled' : 'failed';
  // When this fails after a rotation, the event may be handled twice: one epoch too many, which costs a redemption.
  await parts.finish(key, state).catch((error: unknown) => parts.warn(error, 'a notification could not be closed'));
  return result;
}

async function handle(key: EventKey, event: WebhookGeneric, parts: RotationParts): Promise<Rotation> {
  try {
    await Promise.all(event.references.map((reference) => parts.probe(reference)));
  } catch (error) {
    parts.warn(error, 'a notification names a source that cannot be read');
    return { outcome: 'source_unreadable' };
  }
  const at = parts.now();
  const eventId = `${key.source}:${key.eventId}`;
  const references = [...new Set(event.references.flatMap((text) => sameSource(text, parts.chainFolder)))];
  try {
    const installs = await parts.changed(references, eventId);
    for (let from = 0; from < installs.length; from += BATCH) {
      const batch = installs.slice(from, from + BATCH);
      await Promise.all(batch.map((install) => parts.publish({ ...install, cause: 'webhook', at, eventId })));
      await parts.audit(batch.map((install) => entryOf(install, eventId, at)));
    }
    return { outcome: 'rotated', installs };
  } catch (error) {
    parts.warn(error, `a rotation was not completed${error instanceof AlgaError ? ` (${error.code})` : ''}`);
    return { outcome: 'unavailable' };
  }
}

const entryOf = (install: RotatedInstalls[number], eventId: string, at: number): AuditEntry => ({
  id: `rotation:${eventId}:${install.installId}:${install.secretsVersion}`,
  at,
  kind: 'rotation',
  tenantId: install.tenantId,
  installId: install.installId,
  extensionId: null,
  keys: [],
  secretsVersion: install.secretsVersion,
  requestId: null,
  runnerId: null,
  outcome: 'rotated',
});
