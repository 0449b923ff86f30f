// What parent and child say to each other over the IPC channel. The parent trusts none of the child's messages to have
// these types (engine/child-message.ts); the child trusts the parent.

/** Most that the arguments of one host call may be worth, in bytes: a request body of 1 MiB with its headers. */
export const MAX_HOST_CALL_BYTES = 1_310_720;

/** Most that a response may be worth on the channel, in bytes; engine/guest-response.ts has the limit that counts. */
export const MAX_RESPONSE_BYTES = 1_310_720;

/** Longest piece of output that one message carries, in UTF-16 units. */
export const MAX_OUTPUT_CHARS = 8_192;

/** Bounds of a guest's last words. */
export const MAX_GUEST_MESSAGE_CHARS = 2_048;
export const MAX_GUEST_FRAMES = 20;
export const MAX_GUEST_FRAME_CHARS = 256;

/** One function of the host, as jco names it on the import object. */
export interface HostFunctionName {
  readonly interface: string;
  readonly function: string;
}

export interface HttpHeader {
  readonly name: string;
  readonly value: string;
}

/** WIT `execute-request` in the shape that jco lowers. */
export interface GuestRequest {
  readonly context: {
    readonly requestId?: string;
    readonly tenantId: string;
    readonly extensionId: string;
    readonly installId?: string;
    readonly versionId?: string;
  };
  readonly http: {
    readonly method: string;
    readonly url: string;
    readonly headers: readonly HttpHeader[];
    readonly body?: Uint8Array;
  };
}

/** `error` is a value of the WIT enum of the function called. */
export type HostResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string };

/** A core module of an artifact, and the linear memory that it has the host make, in pages of 64 KiB. */
export interface CoreModule {
  readonly name: string;
  readonly memory: { readonly minPages: number; readonly maxPages: number } | null;
}

/** What one call may use up inside of the sandbox. */
export interface CallLimits {
  /** Ms of wall clock that are left. */
  readonly wallMs: number;
  /** Ms of processor time. */
  readonly cpuMs: number;
  /** Worth of everything that the guest hands to the host. */
  readonly liftedBytes: number;
  /** Characters on stdout and stderr; what is more is dropped. */
  readonly outputChars: number;
}

/** The guest's own last words. They hold what the guest chose to write: for its author's log, never for a caller. */
export interface GuestError {
  readonly message: string;
  /** Innermost first, in the author's source files where the artifact has a source map. */
  readonly frames: readonly string[];
}

/** Why a call gave no response. */
export type FailureReason =
  | 'trap'
  | 'timeout'
  | 'cpu_exceeded'
  | 'out_of_memory'
  | 'lifted_bytes_exceeded'
  | 'response_too_large';

export type OutputStreamName = 'stdout' | 'stderr';

export type ToSandbox =
  | {
      readonly type: 'init';
      readonly witPackage: string;
      readonly witVersion: string;
      readonly functions: readonly HostFunctionName[];
    }
  | {
      readonly type: 'load';
      readonly artifact: string;
      readonly entry: string;
      readonly files: Map<string, Uint8Array>;
      readonly modules: readonly CoreModule[];
      /** Whether an instance may be reset and used again. */
      readonly reusable: boolean;
      readonly sourceMap: string | null;
    }
  | { readonly type: 'unload'; readonly artifact: string }
  | {
      readonly type: 'run';
      readonly call: number;
      readonly artifact: string;
      /** Instances are never shared between two of these. */
      readonly pool: string;
      /** Limit of the guest's linear memory, in pages of 64 KiB. */
      readonly memoryPages: number;
      readonly limits: CallLimits;
      readonly request: GuestRequest;
    }
  | { readonly type: 'host_result'; readonly call: number; readonly seq: number; readonly result: HostResult }
  | { readonly type: 'cancel'; readonly call: number };

export type FromSandbox =
  | { readonly type: 'ready' }
  | { readonly type: 'loaded'; readonly artifact: string }
  | { readonly type: 'load_failed'; readonly artifact: string; readonly message: string }
  | {
      readonly type: 'host_call';
      readonly call: number;
      readonly seq: number;
      readonly interface: string;
      readonly function: string;
      readonly args: readonly unknown[];
    }
  | { readonly type: 'output'; readonly call: number; readonly stream: OutputStreamName; readonly text: string }
  | { readonly type: 'finished'; readonly call: number; readonly response: unknown }
  | {
      readonly type: 'failed';
      readonly call: number;
      readonly reason: FailureReason;
      /** V8's own text for a trap, or empty. */
      readonly message: string;
      readonly guest?: GuestError;
    }
  /** No code of the cancelled call runs any more. */
  | { readonly type: 'cancelled'; readonly call: number };
