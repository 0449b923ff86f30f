import type { EnvelopeClaims, ExecuteRequestHead } from '@alga/contracts';
import { sha256Hex } from './envelope.ts';

/**
 * The message beside an envelope must say what the envelope says: whoever sent it may not move a token to another tenant,
 * install or configuration.
 * @returns the first field that differs, as a JSON pointer into the head, or undefined.
 */
export function differingField(head: ExecuteRequestHead, claims: EnvelopeClaims): string | undefined {
  if (head.tenantId !== claims.tenantId) return '/tenantId';
  if (head.installId !== claims.installId) return '/installId';
  if (head.extensionId !== claims.extensionId) return '/extensionId';
  if (sha256Hex(head.config) !== claims.configSha256) return '/config';
  return undefined;
}
