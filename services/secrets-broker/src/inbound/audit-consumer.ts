import type { Bus } from '@alga/chassis';
import { AUDIT_CONSUMER, type AuditSecretAccess, channels } from '@alga/contracts';
import type { AuditEntry } from '../core/audit-chain.ts';

/** Takes what runners report about guests' accesses into the chain: delivered at least once, recorded once. */
export async function consumeAccesses(
  bus: Bus,
  append: (entries: readonly AuditEntry[]) => Promise<void>,
): Promise<void> {
  await bus.consume(channels.auditSecretAccess, AUDIT_CONSUMER, (batches) =>
    append(batches.flatMap(({ accesses }) => accesses).map(toEntry)),
  );
}

const toEntry = (access: AuditSecretAccess): AuditEntry => ({
  // In a space of its own: a runner cannot take the id of a redemption in advance.
  id: `access:${access.id}`,
  at: access.at,
  kind: 'access',
  tenantId: access.tenantId,
  installId: access.installId,
  extensionId: access.extensionId,
  keys: access.key === undefined ? [] : [access.key],
  secretsVersion: access.secretsVersion ?? null,
  requestId: access.requestId,
  runnerId: access.runnerId,
  outcome: access.outcome,
});
