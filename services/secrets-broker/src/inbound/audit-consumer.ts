import type { Bus } from '@alga/chassis';
import { channels } from '@alga/contracts';
import type { AuditEntry } from '../core/audit-chain.ts';

/** Names our place in the stream across restarts and among replicas. */
const DURABLE = 'broker-audit';

/** Takes what runners report about guests' accesses into the chain: delivered at least once, recorded once. */
export async function consumeAccesses(
  bus: Bus,
  append: (entries: readonly AuditEntry[]) => Promise<void>,
): Promise<void> {
  await bus.consume(channels.auditSecretAccess, DURABLE, (event) =>
    append([
      {
        // In a space of its own: a runner cannot take the id of a redemption in advance.
        id: `access:${event.id}`,
        at: event.at,
        kind: 'access',
        tenantId: event.tenantId,
        installId: event.installId,
        extensionId: event.extensionId,
        keys: event.key === undefined ? [] : [event.key],
        secretsVersion: event.secretsVersion ?? null,
        requestId: event.requestId,
        runnerId: event.runnerId,
        outcome: event.outcome,
      },
    ]),
  );
}
