// What parent and child say to each other over the IPC channel. The parent trusts none of the child's messages to have
// these types (engine/child-message.ts); the child trusts the parent.

/** Most that the arguments of one host call may be worth, in bytes: a request body of 1 MiB with its headers. */
export const MAX_HOST_CALL_BYTES = 1_310_720;

/** Most that a response may be worth on the channel, in bytes; engine/guest-response.ts has the limit that counts. */
export const MAX_RESPONSE_BYTES = 1_310_720;

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

/** Why a call gave no response. */
export type FailureReason = 'trap' | 'out_of_memory' | 'host_call_too_large' | 'response_too_large';

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
      /** Most that each linear memory may grow to, in pages of 64 KiB. */
      readonly maxPages: number;
    }
  | { readonly type: 'unload'; readonly artifact: string }
  | { readonly type: 'run'; readonly call: number; readonly artifact: string; readonly request: GuestRequest }
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
  | { readonly type: 'finished'; readonly call: number; readonly response: unknown }
  | { readonly type: 'failed'; readonly call: number; readonly reason: FailureReason; readonly message: string }
  /** No code of the cancelled call runs any more. */
  | { readonly type: 'cancelled'; readonly call: number };
