import type { Publication } from '../core/publish.ts';

/** For whoever publishes a core module of the old raw ABI. */
const LEGACY_NOTE =
  'Core modules of the old raw ABI are deprecated: build the extension as a component, with `alga build`.';

/** What a publisher is told about what is published now. Sizes in bytes, memory in pages of 64 KiB. */
export function receipt({ created, version, checks }: Publication & { readonly ok: true }, bundleBytes: number) {
  const { extensionId, contentHash, imports, componentBytes, artifactBytes } = version;
  const { runtime, engine, modules, pool } = version.build;
  const memories = modules.flatMap(({ memory }) => (memory === null ? [] : [memory]));
  return {
    extensionId,
    version: version.version,
    contentHash,
    created,
    runtime,
    engine,
    /** Whether an instance may be used for more than one call; if not, why. */
    pool,
    /** Of all core modules together. */
    memoryPages: {
      min: memories.reduce((sum, { minPages }) => sum + minPages, 0),
      max: memories.reduce((sum, { maxPages }) => sum + maxPages, 0),
    },
    imports,
    sizes: { bundle: bundleBytes, component: componentBytes, artifact: artifactBytes },
    checks,
    ...(runtime === 'legacy' ? { deprecated: LEGACY_NOTE } : {}),
  };
}
