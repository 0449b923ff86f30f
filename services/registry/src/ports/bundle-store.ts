/** Where artifacts lie. Names are derived from the content, so an object never changes. */
export interface BundleStore {
  /** Stores the bytes, or repairs what is there. Throws AlgaError `unavailable`. */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** The bytes, digest verified; undefined: there are none. Throws AlgaError `artifact_rejected` when they are damaged. */
  get(
    name: string,
    limits: { readonly maxBytes: number; readonly deadlineMs: number },
  ): Promise<Uint8Array | undefined>;
}
