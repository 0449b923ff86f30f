/** A component turned into files that a runner can load. */
export type Compiled =
  | {
      readonly ok: true;
      readonly files: ReadonlyMap<string, Uint8Array>;
      /** As the component's world spells them, versions included. */
      readonly imports: readonly string[];
      /** Which of the files is loaded first. */
      readonly entry: string;
    }
  | { readonly ok: false; readonly reason: string };

/** Takes components of strangers: nothing of one is run, and what it costs to look at one is bounded. */
export interface ComponentCompiler {
  compile(component: Uint8Array): Promise<Compiled>;
}
