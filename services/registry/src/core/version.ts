import type { ResolvedManifest } from '@alga/contracts';

/** A published version. It never changes, except that a lost artifact is made again from the same component. */
export interface Version {
  readonly extensionId: string;
  readonly version: string;
  readonly contentHash: string;
  readonly manifest: ResolvedManifest;
  readonly manifestSha256: string;
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

/** Whether an upload is the very version that is published already. */
export const isSameUpload = (
  published: Pick<Version, 'contentHash' | 'manifestSha256'>,
  upload: Pick<Version, 'contentHash' | 'manifestSha256'>,
): boolean => published.contentHash === upload.contentHash && published.manifestSha256 === upload.manifestSha256;
