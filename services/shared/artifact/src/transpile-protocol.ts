import type { ArtifactModule, Engine, Pool, Runtime } from './traits.ts';

/** Parent to child, once. */
export interface TranspileJob {
  /** A component, or a core module of the old raw ABI. */
  readonly bytes: Uint8Array;
  readonly runtime: Runtime;
  readonly wit: WitPackage;
  /** `interface#function` names that suspend the guest until the host has answered. */
  readonly suspending: readonly string[];
}

/** The platform's own package. */
export interface WitPackage {
  readonly name: string;
  readonly version: string;
}

/** What the child does, in this order. */
export const TRANSPILE_STAGES = ['structure', 'imports', 'transpile', 'patch'] as const;
export type TranspileStage = (typeof TRANSPILE_STAGES)[number];

/** Why bytes were refused. */
export const TRANSPILE_FAILURES = [
  /** The first bytes are not those of a component, or of a core module. */
  'not_a_component',
  /** The binary contradicts itself. */
  'malformed',
  /** Beyond a limit of the structure. */
  'too_complex',
  /** A feature of WebAssembly that guests do not get. */
  'unsupported',
  /** Well-formed, but jco or V8 find that types do not fit. */
  'component_invalid',
  /** It imports something that the platform does not offer. */
  'import_refused',
  'no_handler',
  /** jco's glue is not of the form that the pinned release has: a fault of ours. */
  'glue_unknown',
  /** More files or bytes than an artifact may have. */
  'too_large',
  'timeout',
  /** An exhausted heap, too. */
  'crashed',
] as const;
export type TranspileFailure = (typeof TRANSPILE_FAILURES)[number];

export interface TranspileRefusal {
  readonly ok: false;
  readonly code: TranspileFailure;
  /** One sentence that names the part and the rule. */
  readonly message: string;
}

/** One function of the platform that a component imports, as the WIT spells it. */
export interface ImportedFunction {
  readonly interface: string;
  readonly function: string;
}

/** What came out, still to be signed. */
export interface TranspiledFiles {
  readonly ok: true;
  readonly files: Map<string, Uint8Array>;
  /** As the component's world spells them, versions included. */
  readonly imports: string[];
  /** Functions of the platform's own interfaces among them. */
  readonly functions: ImportedFunction[];
  readonly runtime: Runtime;
  readonly engine: Engine;
  readonly modules: readonly ArtifactModule[];
  readonly pool: Pool;
}

/**
 * Child to parent: a word per stage that begins, then one report. The child has parsed hostile bytes, so the parent checks
 * the shape again.
 */
export type TranspileMessage =
  | { readonly type: 'stage'; readonly stage: TranspileStage }
  | { readonly type: 'report'; readonly report: TranspiledFiles | TranspileRefusal };

/** jco names its files after this. */
export const TRANSPILED_NAME = 'component';
export const ENTRY = `${TRANSPILED_NAME}.js`;
