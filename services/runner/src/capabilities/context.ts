import { type CallScope, type Capability, ok } from './capability.ts';

/** The ids under which this request runs. */
export function contextCapability({ claims, requestId }: CallScope): Capability {
  const { tenantId, extensionId, installId, version } = claims;
  return { getContext: () => ok({ requestId, tenantId, extensionId, installId, versionId: version }) };
}
