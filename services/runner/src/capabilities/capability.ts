import type { EnvelopeClaims } from '@alga/contracts';
import type { HostResult } from '../sandbox/protocol.ts';

/** What the host functions of one request share. */
export interface CallScope {
  /** All authority there is: nothing of the message beside the envelope. */
  readonly claims: EnvelopeClaims;
  /** What the envelope token is worth to the services behind the host functions. */
  readonly token: string;
  readonly requestId: string;
  /** Ms that the guest has left. */
  readonly remainingMs: () => number;
  /** Tells the operator and the extension's author why a call was refused where the WIT has no word for it; bounded. */
  readonly explain: (hostFunction: string, reason: string) => void;
}

export type HostFunctionBody = (args: readonly unknown[]) => Promise<HostResult> | HostResult;

/** The functions of one interface, by their names in HOST_FUNCTIONS. */
export type Capability = Readonly<Record<string, HostFunctionBody>>;

export const ok = (value: unknown): HostResult => ({ ok: true, value });
export const refused = (error: string): HostResult => ({ ok: false, error });
