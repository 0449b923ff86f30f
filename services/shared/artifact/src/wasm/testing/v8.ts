// What the specs use of V8's WebAssembly API. TypeScript has its types in `lib.dom` only, with the whole browser.

export interface Memory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
}

export interface WasmGlobal {
  value: unknown;
}

export type Exports = Readonly<Record<string, unknown>>;

interface Api {
  readonly Module: {
    new (bytes: Uint8Array): object;
    exports(module: object): { readonly name: string; readonly kind: string }[];
    imports(module: object): { readonly module: string; readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Exports };
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }) => Memory;
  readonly Table: new (limits: {
    readonly element: string;
    readonly initial: number;
    readonly maximum?: number;
  }) => {
    readonly length: number;
    grow(by: number): number;
  };
  readonly CompileError: new () => Error;
  readonly LinkError: new () => Error;
  readonly RuntimeError: new () => Error;
  validate(bytes: Uint8Array): boolean;
}

export const v8: Api = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;
