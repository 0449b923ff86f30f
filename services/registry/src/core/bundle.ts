import { createHash } from 'node:crypto';
import { decodeJson, parseManifest, type ResolvedManifest } from '@alga/contracts';
import { type Refusal, refuse } from './refusal.ts';
import { SOURCE_MAP, sourceMapProblem } from './source-map.ts';
import { readTar } from './tar.ts';

const MANIFEST = 'manifest.json';
const COMPONENT = 'component.wasm';

/** A manifest with every field at its longest is about 150 KB. */
const MAX_MANIFEST_BYTES = 256 * 1024;

/** The first eight bytes of WebAssembly: magic, then version 13 layer 1 for a component, version 1 for a core module. */
const COMPONENT_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
const MODULE_PREAMBLE = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/** A bundle whose parts have the right form. The component has not been looked into yet. */
export interface Bundle {
  readonly manifest: ResolvedManifest;
  /** Hex SHA-256 of manifest.json as it was uploaded: what makes two uploads of one version the same. */
  readonly manifestSha256: string;
  /** The component, or the core module of a legacy extension. */
  readonly component: Uint8Array;
  /** `sha256:<hex>` of the component: its identity from here to the runner. */
  readonly contentHash: string;
  readonly sourceMap: SourceMap | undefined;
}

interface SourceMap {
  readonly bytes: Uint8Array;
  /** In hex. */
  readonly sha256: string;
}

/** Takes an archive apart into its manifest, its component and, where it has one, its source map. */
export function readBundle(archive: Uint8Array): ({ readonly ok: true } & Bundle) | Refusal {
  const tar = readTar(archive, [MANIFEST, COMPONENT, SOURCE_MAP]);
  if (!tar.ok) return tar;
  const manifestBytes = tar.files.get(MANIFEST);
  const component = tar.files.get(COMPONENT);
  if (manifestBytes === undefined) return refuse('bundle_invalid', MANIFEST, 'is missing');
  if (component === undefined) return refuse('bundle_invalid', COMPONENT, 'is missing');
  if (manifestBytes.byteLength > MAX_MANIFEST_BYTES) {
    return refuse('manifest_invalid', '/', `is over ${MAX_MANIFEST_BYTES} bytes`);
  }
  const json = decodeJson(manifestBytes);
  if (!json.ok) return { ok: false, code: 'manifest_invalid', errors: json.errors };
  const parsed = parseManifest(json.value);
  if (!parsed.ok) return parsed;
  const wrongForm = formProblem(component, parsed.manifest.runtime);
  if (wrongForm !== undefined) return refuse('component_invalid', COMPONENT, wrongForm);
  const sourceMap = tar.files.get(SOURCE_MAP);
  const wrongMap = sourceMap === undefined ? undefined : sourceMapProblem(sourceMap);
  if (wrongMap !== undefined) return refuse('bundle_invalid', SOURCE_MAP, wrongMap);
  return {
    ok: true,
    manifest: parsed.manifest,
    manifestSha256: sha256(manifestBytes),
    component,
    contentHash: `sha256:${sha256(component)}`,
    sourceMap: sourceMap === undefined ? undefined : { bytes: sourceMap, sha256: sha256(sourceMap) },
  };
}

/** Whether the first bytes are of what the manifest announces; undefined: they are. */
function formProblem(component: Uint8Array, runtime: ResolvedManifest['runtime']): string | undefined {
  const preamble = component.subarray(0, COMPONENT_PREAMBLE.length);
  const isModule = MODULE_PREAMBLE.equals(preamble);
  if (!isModule && !COMPONENT_PREAMBLE.equals(preamble)) return 'is not WebAssembly';
  if (isModule && runtime === 'component') {
    return 'is a core module, not a component: build it with `alga build`, or set "runtime" to "legacy"';
  }
  if (!isModule && runtime === 'legacy') return 'is a component, not a core module: set "runtime" to "component"';
  return undefined;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
