import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleSource } from './bundle-source.ts';
import { componentize } from './componentize.ts';
import { allowedInterfaces, narrowWorld } from './narrow-world.ts';
import { done, type Outcome, type Progress, refused } from './outcome.ts';
import { type Project, readIfThere, readProject } from './project.ts';

/** A component in `dist/`. */
export interface BuiltComponent {
  readonly path: string;
  readonly bytes: number;
  /** `sha256:` and 64 hex digits: the identity of the component from here to the runner. */
  readonly contentHash: string;
  /** The JavaScript inside, before the engine is added; 0 where the component came ready made. */
  readonly sourceBytes: number;
  /** Path of the source map of that JavaScript, where there is one. */
  readonly sourceMap: string | undefined;
  /** True where nothing had changed since the last build. */
  readonly unchanged: boolean;
  /** What an author should know though nothing is wrong, one sentence each. */
  readonly notes: readonly string[];
  readonly ms: number;
}

const WIT = fileURLToPath(new URL('../../../wit/extension-runner.wit', import.meta.url));
const OWN_PACKAGE = new URL('../package.json', import.meta.url);
/** The first eight bytes of a component: the magic of WebAssembly, then its version and layer. */
const COMPONENT_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00]);
/** The same of a core module, which is what `runtime: legacy` takes. */
const MODULE_MAGIC = Buffer.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
/** Beside the component in `dist/`, and its name in the bundle. */
export const SOURCE_MAP = 'source.map';
/** The registry takes no larger map. */
const MAX_MAP_BYTES = 8 * 1024 * 1024;
const LEGACY_NOTE =
  'runtime "legacy" is deprecated: from a date on, the registry takes no new versions of it. Build a component.';

/**
 * Builds `dist/component.wasm` from manifest.json and src/index.ts, or leaves it as it is where neither the sources, the
 * WIT nor the tools have changed.
 */
export async function buildComponent(dir: string, progress: Progress = () => {}): Promise<Outcome<BuiltComponent>> {
  const project = await readProject(dir);
  return project.ok ? buildProject(project.value, progress) : project;
}

/** `buildComponent` for a project that has been read. */
export async function buildProject(project: Project, progress: Progress): Promise<Outcome<BuiltComponent>> {
  const started = performance.now();
  const { runtime, engine } = project.manifest;
  if (runtime === 'legacy' || engine !== 'starlingmonkey') return prebuilt(project, started);
  const interfaces = allowedInterfaces(project.manifest.capabilities);
  const source = await bundleSource(project.dir, interfaces);
  if (!source.ok) return source;
  const wit = narrowWorld(await readFile(WIT, 'utf8'), interfaces);

  const path = join(project.distDir, 'component.wasm');
  const stampPath = join(project.distDir, 'component.json');
  const fingerprint = sha256(JSON.stringify([source.value.code, wit, await toolVersions()]));
  const sourceBytes = Buffer.byteLength(source.value.code);
  const present = await readIfThere(path);
  if (present !== undefined && (await readStamp(stampPath)) === stampText(fingerprint, present)) {
    // Lines move in the sources without a change to the component.
    const map = await writeMap(project.distDir, source.value.map);
    return done({ ...described(path, present, started), ...map, sourceBytes, unchanged: true });
  }

  const component = await componentize(source.value, wit, progress);
  if (!component.ok) return component;
  await mkdir(project.distDir, { recursive: true });
  await writeWhole(path, component.value);
  await writeWhole(stampPath, stampText(fingerprint, component.value));
  const map = await writeMap(project.distDir, source.value.map);
  return done({ ...described(path, component.value, started), ...map, sourceBytes, unchanged: false });
}

type MapOutcome = Pick<BuiltComponent, 'sourceMap' | 'notes'>;

async function writeMap(distDir: string, map: string): Promise<MapOutcome> {
  const path = join(distDir, SOURCE_MAP);
  await writeWhole(path, map);
  return mapOutcome(path, Buffer.byteLength(map));
}

/** @param bytes Undefined where there is no map. */
function mapOutcome(path: string, bytes: number | undefined): MapOutcome {
  if (bytes === undefined) return { sourceMap: undefined, notes: [] };
  if (bytes <= MAX_MAP_BYTES) return { sourceMap: path, notes: [] };
  const limit = `${bytes} bytes are over the limit of ${MAX_MAP_BYTES}`;
  return { sourceMap: undefined, notes: [`The source map is left out: ${limit}. Stacks will name the bundle.`] };
}

/** Components of other toolchains come ready made, and legacy modules always do. */
async function prebuilt({ manifest, distDir }: Project, started: number): Promise<Outcome<BuiltComponent>> {
  const legacy = manifest.runtime === 'legacy';
  const path = join(distDir, 'component.wasm');
  const present = await readIfThere(path);
  const magic = legacy ? MODULE_MAGIC : COMPONENT_MAGIC;
  if (present === undefined || !magic.equals(present.subarray(0, magic.length))) {
    const what = legacy ? 'core module' : 'component';
    return refused({
      code: 'component_invalid',
      message: `${present === undefined ? 'There is no' : 'This is not a'} ${what}: dist/component.wasm.`,
      fix: legacy
        ? 'runtime "legacy" takes a core module that exports memory, alloc and handler: put it there.'
        : `alga build makes starlingmonkey components; for engine "${manifest.engine}" put the component there.`,
      file: 'dist/component.wasm',
    });
  }
  const mapPath = join(distDir, SOURCE_MAP);
  const map = mapOutcome(mapPath, (await readIfThere(mapPath))?.length);
  const notes = [...(legacy ? [LEGACY_NOTE] : []), ...map.notes];
  return done({ ...described(path, present, started), ...map, notes, sourceBytes: 0, unchanged: true });
}

function described(path: string, component: Uint8Array, started: number) {
  return {
    path,
    bytes: component.length,
    contentHash: `sha256:${sha256(component)}`,
    ms: Math.round(performance.now() - started),
  };
}

// The component's own hash is in the stamp, so that a file that was changed or cut short is built again.
function stampText(fingerprint: string, component: Uint8Array): string {
  return `${JSON.stringify({ fingerprint, component: sha256(component) })}\n`;
}

async function readStamp(path: string): Promise<string | undefined> {
  const bytes = await readIfThere(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

// Pinned exactly in our package.json, so the pin is the version.
async function toolVersions(): Promise<readonly (string | undefined)[]> {
  const { dependencies } = JSON.parse(await readFile(OWN_PACKAGE, 'utf8')) as { dependencies: Record<string, string> };
  return ['@bytecodealliance/componentize-js', '@bytecodealliance/jco'].map((name) => dependencies[name]);
}

/** A reader, or an interrupted build, never sees half a file. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, content);
  await rename(partial, path);
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
