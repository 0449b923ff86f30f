import type { ArtifactTraits, ImportedFunction } from '@alga/artifact';
import type { ResolvedManifest } from '@alga/contracts';

export type { ImportedFunction };

/** What the compiler found out about a component, as it is signed into the artifact. */
export type Build = Omit<ArtifactTraits, 'sourceMap'>;

/** A published version. It never changes, except that a lost artifact is made again from the same component. */
export interface Version {
  readonly extensionId: string;
  readonly version: string;
  readonly contentHash: string;
  readonly manifest: ResolvedManifest;
  readonly manifestSha256: string;
  /** Hex SHA-256 of source.map; undefined: the bundle has none. */
  readonly sourceMapSha256: string | undefined;
  /** Undefined: published before this was kept, so that its artifact is made again when the same upload comes again. */
  readonly build: Build | undefined;
  /** What the component imports, as its world spells it. */
  readonly imports: readonly string[];
  /** Name in the bundle store. */
  readonly object: string;
  /** Compact JWS over the artifact's descriptor (I9). */
  readonly signature: string;
  readonly componentBytes: number;
  readonly artifactBytes: number;
  /** API key that published it. */
  readonly publishedBy: string;
  readonly publishedAt: Date;
}

/** Whoever publishes: the tenant of the API key, none for a platform operator. */
export interface Publisher {
  readonly keyId: string;
  readonly tenantId: string | undefined;
  readonly operator: boolean;
}

/** An extension belongs to whoever published its first version; operators may publish for everybody. */
export const mayPublish = (publisher: Publisher, owner: string | undefined): boolean =>
  publisher.operator || (owner !== undefined && owner === publisher.tenantId);

/** What makes two uploads the same. */
type Uploaded = Pick<Version, 'contentHash' | 'manifestSha256' | 'sourceMapSha256'>;

/** Whether an upload is the very version that is published already. */
export const isSameUpload = (published: Uploaded, upload: Uploaded): boolean =>
  published.contentHash === upload.contentHash &&
  published.manifestSha256 === upload.manifestSha256 &&
  published.sourceMapSha256 === upload.sourceMapSha256;
