// What the toolchains make passes, with room to grow.
import { buildGuest, buildLegacy, type GuestKind } from '@alga/fixtures';
import { scanComponent, scanModule } from './component.ts';
import type { CoreModule } from './core-module.ts';
import { LIMITS } from './limits.ts';
import { patchModule } from './patch.ts';
import { v8 } from './testing/v8.ts';

/** A first build of all of them takes a while. */
const BUILD_MS = 180_000;

async function scanned(kind: GuestKind): Promise<readonly CoreModule[]> {
  const { component } = await buildGuest(kind);
  const scan = scanComponent(component);
  if (!scan.ok) throw new Error(scan.message);
  return scan.modules;
}

/** How much of its limit the greediest module of a component uses. */
function largest(modules: readonly CoreModule[], of: (module: CoreModule) => number): number {
  return Math.max(...modules.map(of));
}

const total = (modules: readonly CoreModule[], of: (module: CoreModule) => number) =>
  modules.reduce((sum, module) => sum + of(module), 0);
const sites = ({ bodies }: CoreModule) => bodies.reduce((sum, body) => sum + body.sites.length, 0);

describe.each(['starlingmonkey', 'quickjs', 'c'] as const)('a component of %s', (kind) => {
  it(
    'passes the scan, and uses at most half of any limit',
    async () => {
      const { component } = await buildGuest(kind);
      const modules = await scanned(kind);
      const used = {
        componentBytes: component.length,
        coreModules: modules.length,
        functions: total(modules, ({ functions }) => functions.length),
        sites: total(modules, sites),
        types: largest(modules, ({ types }) => types.length),
        imports: largest(modules, ({ imports }) => imports.length),
        exports: largest(modules, ({ exports }) => exports.length),
        bodyBytes: largest(modules, ({ bodies }) =>
          bodies.reduce((most, { start, end }) => Math.max(most, end - start), 0),
        ),
        totalLocals: largest(modules, ({ facts }) => facts.totalLocals),
        tableElements: largest(modules, ({ tables }) => Math.max(0, ...tables.map(({ min }) => min))),
        memoryPages: largest(modules, ({ memories }) => Math.max(0, ...memories.map(({ min }) => min))),
        globals: largest(modules, ({ globals }) => globals.length),
        dataSegments: largest(modules, ({ dataSegments }) => dataSegments),
      } as const satisfies Partial<Record<keyof typeof LIMITS, number>>;
      const tooClose = Object.entries(used).filter(
        ([name, value]) => value * 2 > LIMITS[name as keyof typeof used] + 1,
      );
      expect(tooClose).toEqual([]);
    },
    BUILD_MS,
  );

  it(
    'is patched to modules that V8 takes and that can be put back to their beginning',
    async () => {
      for (const module of await scanned(kind)) {
        const { bytes, notReusable } = patchModule(module);
        expect(notReusable).toBeUndefined();
        expect(v8.validate(bytes)).toBe(true);
      }
    },
    BUILD_MS,
  );

  it(
    'is patched once: what the patch made, it does not take again where it left a trace',
    async () => {
      for (const module of await scanned(kind)) {
        const { bytes, memory } = patchModule(module);
        if (memory === null && sites(module) === 0) continue;
        expect(scanModule(bytes)).toMatchObject({ ok: false, code: 'unsupported' });
      }
    },
    BUILD_MS,
  );
});

describe.each(['assemblyscript', 'wat'] as const)('a core module of the legacy ABI, from %s', (kind) => {
  it(
    'passes the scan and is patched to one that V8 takes',
    async () => {
      const scan = scanModule(await buildLegacy(kind));
      if (!scan.ok) throw new Error(scan.message);
      const { bytes, notReusable } = patchModule(scan.module);
      expect(notReusable).toBeUndefined();
      expect(v8.validate(bytes)).toBe(true);
    },
    BUILD_MS,
  );
});
