import type { Build, ImportedFunction } from '../core/version.ts';

/** A component turned into files that a runner can load. */
export type Compiled =
  | ({
      readonly ok: true;
      readonly files: ReadonlyMap<string, Uint8Array>;
      /** As the component's world spells them, versions included. */
      readonly imports: readonly string[];
      /** Of the platform's own interfaces. */
      readonly functions: readonly ImportedFunction[];
      /** Which of the files is loaded first. */
      readonly entry: string;
    } & Build)
  | { readonly ok: false; readonly reason: string };

/** Takes components of strangers: nothing of one is run, and what it costs to look at one is bounded. */
export interface ComponentCompiler {
  /**
   * @param component of the form that the runtime takes.
   * @param begin is told of each stage of the work when it begins.
   */
  compile(component: Uint8Array, runtime: Build['runtime'], begin: (stage: string) => void): Promise<Compiled>;
}
