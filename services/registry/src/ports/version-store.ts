import type { Version } from '../core/version.ts';

/** What is known about an extension before a version of it is published. */
export interface Standing {
  /** False: nobody has published it yet. */
  readonly exists: boolean;
  /** Tenant it belongs to; undefined: the platform's own, or nobody's yet. */
  readonly owner: string | undefined;
  readonly published: Version | undefined;
}

export interface ExtensionSummary {
  readonly extensionId: string;
  readonly latest: Version;
}

/** Published versions. Every method throws AlgaError `unavailable` when the store cannot be reached. */
export interface VersionStore {
  standing(extensionId: string, version: string): Promise<Standing>;
  /** Adds a version, and its extension with `owner` if it is the first. One transaction decides who came first. */
  add(version: Version, owner: string | undefined): Promise<'added' | 'exists' | 'other_owner'>;
  /** Replaces object, signature, size and build of a version whose artifact was lost or damaged. */
  repair(version: Version): Promise<void>;
  /** The most recently published version with this component. */
  byContentHash(contentHash: string): Promise<Version | undefined>;
  byVersion(extensionId: string, version: string): Promise<Version | undefined>;
  /** The most recently published version of an extension. */
  latest(extensionId: string): Promise<Version | undefined>;
  /** Extensions in the order of their ids, after the given one. */
  extensions(after: string, limit: number): Promise<readonly ExtensionSummary[]>;
  /** Versions of an extension, the most recently published first. */
  versions(extensionId: string, limit: number): Promise<readonly Version[]>;
}
