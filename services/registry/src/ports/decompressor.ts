export type Decompressed =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** Unpacks exactly one compressed body, no further than `maxBytes`. */
export interface Decompressor {
  decompress(compressed: Uint8Array, maxBytes: number): Promise<Decompressed>;
}
