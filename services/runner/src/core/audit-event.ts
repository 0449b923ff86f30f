import type { AuditSecretAccess, EnvelopeClaims } from '@alga/contracts';

/** As `key` in the schema. */
const MAX_KEY_CHARS = 256;

export interface SecretAccess {
  readonly operation: AuditSecretAccess['operation'];
  readonly outcome: AuditSecretAccess['outcome'];
  /** As the guest asked for it: any text. */
  readonly key?: string;
  readonly secretsVersion?: number;
}

/** The audit record of one access; never a value (I3). `id` makes a repeated delivery harmless. */
export function auditEvent(
  access: SecretAccess,
  call: { readonly claims: EnvelopeClaims; readonly requestId: string; readonly runnerId: string },
  at: { readonly id: string; readonly nowMs: number },
): AuditSecretAccess {
  const { tenantId, installId, extensionId } = call.claims;
  return {
    id: at.id,
    at: at.nowMs,
    tenantId,
    installId,
    extensionId,
    requestId: call.requestId,
    runnerId: call.runnerId,
    operation: access.operation,
    ...(access.key === undefined ? {} : { key: access.key.slice(0, MAX_KEY_CHARS).toWellFormed() }),
    ...(access.secretsVersion === undefined ? {} : { secretsVersion: access.secretsVersion }),
    outcome: access.outcome,
  };
}
