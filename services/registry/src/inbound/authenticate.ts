import { createHash } from 'node:crypto';
import type { Bus } from '@alga/chassis';
import { AlgaError, type ApikeyVerifyReply, channels } from '@alga/contracts';

/** Who may do nothing without control-plane must not wait long for it. */
const VERIFY_DEADLINE_MS = 2_000;

const BEARER = /^Bearer (alga_[A-Za-z0-9_-]{16,200})$/;

type Scope = ApikeyVerifyReply['scopes'][number];

/** Finds out whose API key a request carries. The key itself stays here: its hash is what travels. */
export function authenticator(bus: Bus) {
  /**
   * @param scopes any of them will do; none named: any key will.
   * @throws AlgaError `unauthenticated`, `forbidden`, or `unavailable` when nobody can tell.
   */
  return async (authorization: string | undefined, scopes: readonly Scope[] = []): Promise<ApikeyVerifyReply> => {
    const key = BEARER.exec(authorization ?? '')?.[1];
    if (key === undefined) throw new AlgaError('unauthenticated');
    const keySha256 = createHash('sha256').update(key).digest('hex');
    const identity = await bus.request(channels.apikeyVerify, { keySha256 }, { deadlineMs: VERIFY_DEADLINE_MS });
    if (scopes.length > 0 && !scopes.some((scope) => identity.scopes.includes(scope))) {
      throw new AlgaError('forbidden', `The API key has none of the scopes ${scopes.join(', ')}.`);
    }
    return identity;
  };
}
