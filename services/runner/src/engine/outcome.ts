import type { Limits } from '@alga/contracts';
import type {
  CoreModule,
  GuestError,
  GuestRequest,
  HostResult,
  HttpHeader,
  OutputStreamName,
} from '../sandbox/protocol.ts';

/** An artifact whose signature and hashes have been verified (I9). */
export interface LoadedArtifact {
  readonly contentHash: string;
  readonly entry: string;
  readonly files: Map<string, Uint8Array>;
  readonly modules: readonly CoreModule[];
  readonly pool: { readonly reusable: boolean };
  readonly sourceMap: string | null;
}

/** One call of a guest to the host. Everything in it comes from the guest and has been bounded, nothing more. */
export interface HostCall {
  /** WIT interface without package: `secrets`. */
  readonly interface: string;
  /** As jco names it: `listKeys`. */
  readonly function: string;
  readonly args: readonly unknown[];
}

/**
 * Does the work of one request's host calls and checks the capability itself, on every call (I6). What it throws
 * reaches the guest as `internal` and the operator through `onFault`.
 */
export type HostHandler = (call: HostCall) => Promise<HostResult>;

export interface Execution {
  readonly tenantId: string;
  /** Instances are never shared between two installs. */
  readonly installId: string;
  readonly artifact: LoadedArtifact;
  readonly request: GuestRequest;
  readonly host: HostHandler;
  /** Told of what the guest writes on its stdout and stderr; bounded by `limits.logBytes`. */
  readonly onOutput: (stream: OutputStreamName, text: string) => void;
  /** Time left, in milliseconds from now. */
  readonly deadlineMs: number;
  readonly limits: Limits;
}

/** A guest's response that may be sent on as it is. */
export interface GuestResponse {
  readonly status: number;
  readonly headers: readonly HttpHeader[];
  readonly body?: Uint8Array;
}

/** How an execution ended. Exactly one per call of `execute`, no later than its deadline (I7). */
export type Outcome =
  | ({ readonly kind: 'response' } & GuestResponse)
  /** The guest failed. `message` is one of a closed set of texts: it holds nothing of the guest's data; `guest` does. */
  | { readonly kind: 'trap'; readonly message: string; readonly guest?: GuestError }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'cpu_exceeded' | 'out_of_memory'; readonly guest?: GuestError }
  | {
      readonly kind: 'limit_exceeded';
      readonly limit: 'hostCalls' | 'liftedBytes' | 'responseBytes';
      readonly message: string;
      readonly guest?: GuestError;
    }
  /** The component has crashed too many sandboxes of late. */
  | { readonly kind: 'quarantined'; readonly retryAfterMs: number }
  /** The sandbox died, perhaps through a neighbour of the same tenant. Not `started`: the guest saw nothing of the request. */
  | {
      readonly kind: 'crashed';
      readonly signal: NodeJS.Signals | null;
      readonly exitCode: number | null;
      readonly started: boolean;
    }
  | { readonly kind: 'invalid_response'; readonly message: string }
  /** The artifact verified but does not load: its imports, its memory or its code are outside what the runner offers. */
  | { readonly kind: 'not_loadable'; readonly message: string }
  | { readonly kind: 'overloaded' };

/** Something that an operator should know. Never holds a value that a guest or a tenant supplied. */
export type Fault =
  | {
      readonly kind: 'host_handler_threw';
      readonly tenantId: string;
      readonly function: string;
      readonly error: unknown;
    }
  | { readonly kind: 'sandbox_not_started'; readonly tenantId: string; readonly reason: string }
  | {
      readonly kind: 'sandbox_crashed';
      readonly tenantId: string;
      readonly signal: string | null;
      readonly exitCode: number | null;
    }
  | {
      readonly kind: 'sandbox_killed';
      readonly tenantId: string;
      readonly reason: 'unresponsive' | 'protocol_violation' | 'memory';
    }
  | { readonly kind: 'component_quarantined'; readonly tenantId: string; readonly contentHash: string };
