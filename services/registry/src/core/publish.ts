// From upload to published version. The order is the point: form before content, content before a child process is spent
// on it, everything checked before anything is stored, the blob stored before the row that leads to it.
import { createHash } from 'node:crypto';
import { packFiles, signArtifact } from '@alga/artifact';
import { AlgaError } from '@alga/contracts';
import type { JWK } from 'jose';
import type { BundleStore } from '../ports/bundle-store.ts';
import type { Compiled, ComponentCompiler } from '../ports/component-compiler.ts';
import type { Decompressor } from '../ports/decompressor.ts';
import type { VersionStore } from '../ports/version-store.ts';
import { type Bundle, readBundle } from './bundle.ts';
import { type Check, createChecklist, type ReportStage } from './checklist.ts';
import { checkImports } from './imports.ts';
import { checkLegacyEnd } from './legacy.ts';
import { type Refusal, refuse } from './refusal.ts';
import { SOURCE_MAP } from './source-map.ts';
import { type Build, isSameUpload, mayPublish, type Publisher, type Version } from './version.ts';

/** What the largest bundle may unpack to, in bytes: seven StarlingMonkey guests. */
const MAX_UNPACKED_BYTES = 96 * 1024 * 1024;
/** As much as an artifact can have. */
const MAX_ARTIFACT_BYTES = 130 * 1024 * 1024;
const READ_BACK_DEADLINE_MS = 10_000;

export interface PublishingParts {
  readonly decompressor: Decompressor;
  readonly compiler: ComponentCompiler;
  readonly bundles: BundleStore;
  readonly versions: VersionStore;
  readonly signingKey: JWK;
  /** When new versions may no longer be legacy core modules; undefined: no end is set. */
  readonly legacyUntil: Date | undefined;
  /** Tells the platform; called again when the same upload comes again. */
  readonly announce: (version: Version) => Promise<void>;
  readonly now: () => Date;
  /** Milliseconds of a monotonic clock. */
  readonly clock: () => number;
}

type BuiltVersion = Version & { readonly build: Build };

export type Publication =
  | {
      readonly ok: true;
      readonly created: boolean;
      readonly version: BuiltVersion;
      readonly checks: readonly Check[];
    }
  | Refusal;

/**
 * Publishes a bundle (tar.zst), or says why not.
 * @param report hears of each stage.
 * @throws AlgaError `unavailable` when a store cannot be reached.
 */
export async function publish(
  upload: Uint8Array,
  publisher: Publisher,
  parts: PublishingParts,
  report: ReportStage,
): Promise<Publication> {
  const { begin, finish } = createChecklist(parts.clock, report);

  begin('archive');
  const archive = await parts.decompressor.decompress(upload, MAX_UNPACKED_BYTES);
  if (!archive.ok) return refuse('bundle_invalid', '/', archive.reason);
  begin('manifest');
  const bundle = readBundle(archive.bytes);
  if (!bundle.ok) return bundle;

  begin('version');
  const { extensionId, version, runtime, capabilities } = bundle.manifest;
  const standing = await parts.versions.standing(extensionId, version);
  if (standing.exists && !mayPublish(publisher, standing.owner)) {
    return foreignExtension();
  }
  const { published } = standing;
  if (published !== undefined) {
    if (!isSameUpload(published, identityOf(bundle))) return versionExists(published);
    if (hasBuild(published) && (await isStored(published, parts.bundles))) {
      await parts.announce(published);
      return { ok: true, created: false, version: published, checks: finish() };
    }
  } else {
    const legacy = checkLegacyEnd(runtime, parts.legacyUntil, parts.now());
    if (!legacy.ok) return legacy;
  }

  begin('component');
  const compiled = await parts.compiler.compile(bundle.component, runtime, begin);
  if (!compiled.ok) return refuse('component_invalid', 'component.wasm', compiled.reason);
  begin('capabilities');
  const imports = checkImports(compiled.functions, capabilities);
  if (!imports.ok) return imports;

  begin('store');
  const made = await store(bundle, compiled, publisher, parts);
  if (published !== undefined) {
    const repaired = { ...made, publishedAt: published.publishedAt, publishedBy: published.publishedBy };
    await parts.versions.repair(repaired);
    await parts.announce(repaired);
    return { ok: true, created: false, version: repaired, checks: finish() };
  }
  return register(made, standing.exists ? standing.owner : publisher.tenantId, finish, parts);
}

const identityOf = ({ contentHash, manifestSha256, sourceMap }: Bundle) => ({
  contentHash,
  manifestSha256,
  sourceMapSha256: sourceMap?.sha256,
});

const hasBuild = (version: Version): version is BuiltVersion => version.build !== undefined;

/** Signs and stores the artifact (I9). Nothing leads to it until its version is added, so a failure leaves no trace. */
async function store(
  bundle: Bundle,
  compiled: Compiled & { readonly ok: true },
  publisher: Publisher,
  parts: PublishingParts,
): Promise<BuiltVersion> {
  const publishedAt = parts.now();
  const { contentHash, sourceMap } = bundle;
  const { entry, imports, runtime, engine, modules, pool } = compiled;
  const build = { runtime, engine, modules, pool };
  const files = new Map(compiled.files);
  if (sourceMap !== undefined) files.set(SOURCE_MAP, sourceMap.bytes);
  const { signature } = await signArtifact(
    files,
    {
      contentHash,
      entry,
      imports,
      createdAt: publishedAt,
      ...build,
      sourceMap: sourceMap === undefined ? null : SOURCE_MAP,
    },
    parts.signingKey,
  );
  const blob = packFiles(files);
  // By its own hash rather than the component's: another release of the compiler makes other files of one component, and
  // the artifacts of earlier versions must stay what was signed.
  const object = createHash('sha256').update(blob).digest('hex');
  await parts.bundles.put(object, blob);
  return {
    extensionId: bundle.manifest.extensionId,
    version: bundle.manifest.version,
    manifest: bundle.manifest,
    ...identityOf(bundle),
    build,
    imports,
    object,
    signature,
    componentBytes: bundle.component.byteLength,
    artifactBytes: blob.byteLength,
    publishedBy: publisher.keyId,
    publishedAt,
  };
}

async function register(
  version: BuiltVersion,
  owner: string | undefined,
  finish: () => readonly Check[],
  parts: PublishingParts,
): Promise<Publication> {
  const added = await parts.versions.add(version, owner);
  if (added === 'other_owner') return foreignExtension();
  // Somebody else was faster: with the same upload that is no different from having come second.
  const winner =
    added === 'added' ? version : (await parts.versions.standing(version.extensionId, version.version)).published;
  if (winner === undefined || !hasBuild(winner) || !isSameUpload(winner, version)) return versionExists(version);
  await parts.announce(winner);
  return { ok: true, created: added === 'added', version: winner, checks: finish() };
}

async function isStored(version: Version, bundles: BundleStore): Promise<boolean> {
  try {
    const limits = { maxBytes: MAX_ARTIFACT_BYTES, deadlineMs: READ_BACK_DEADLINE_MS };
    return (await bundles.get(version.object, limits)) !== undefined;
  } catch (error) {
    // Damaged, or parts of it are missing. A store that cannot be reached at all is another matter.
    if (error instanceof AlgaError && error.code !== 'unavailable') return false;
    throw error;
  }
}

const foreignExtension = (): Refusal => refuse('forbidden', '/extensionId', 'belongs to another publisher');

const versionExists = ({ extensionId, version }: Pick<Version, 'extensionId' | 'version'>): Refusal =>
  refuse('version_exists', '/version', `${version} of ${extensionId} is published with other content`);
