/** Parent to child, once. */
export interface TranspileJob {
  readonly component: Uint8Array;
  /** `interface#function` names that must suspend the guest until the host has answered. */
  readonly asyncImports: readonly string[];
  readonly asyncExports: readonly string[];
}

/** Child to parent, once. The child parses hostile bytes, so the parent checks the shape again. */
export type TranspileReport =
  | {
      readonly ok: true;
      readonly files: Map<string, Uint8Array>;
      readonly imports: string[];
      readonly exports: string[];
    }
  | { readonly ok: false; readonly message: string };

/** `generate` names its files after this. */
export const TRANSPILED_NAME = 'component';
