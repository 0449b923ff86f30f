import { readdirSync, readFileSync } from 'node:fs';
import { buildGuest, buildLegacy } from '@alga/fixtures';
import { componentAround, componentOf } from './test-support/component.ts';
import { handlerWat } from './test-support/handler-wat.ts';
import { transpileComponent } from './transpile.ts';
import { LIMITS } from './wasm/limits.ts';
import { define, instance, instantiate, outerComponent, within } from './wasm/testing/component.ts';
import { concat, coreModule } from './wasm/testing/core-module.ts';

const limits = { deadlineMs: 60_000, maxMemoryMb: 1_024 };
/** A compiler may have to build the guest first. */
const BUILD_MS = 240_000;

async function transpiled(bytes: Uint8Array, options: Partial<Parameters<typeof transpileComponent>[1]> = {}) {
  const result = await transpileComponent(bytes, { ...limits, ...options });
  if (!result.ok) throw new Error(`${result.code}: ${result.message}`);
  return { ...result, glue: new TextDecoder().decode(result.files.get(result.entry)) };
}

const code = async (bytes: Uint8Array, options = {}) => {
  const result = await transpileComponent(bytes, { ...limits, ...options });
  return result.ok ? 'ok' : result.code;
};

/** Counting children takes procfs. */
const onLinux = process.platform === 'linux' ? it : it.skip;

/** Children of this process that still live. */
function children(): string[] {
  return readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== ''),
  );
}

describe('transpileComponent', () => {
  it('makes glue and patched core modules, and says what they are', async () => {
    const stages: string[] = [];
    const component = await componentAround(handlerWat(), 'import secrets;');
    const result = await transpiled(component, { onStage: (stage) => stages.push(stage) });
    expect(result).toMatchObject({
      entry: 'component.js',
      runtime: 'component',
      engine: 'native',
      modules: [{ name: 'component.core.wasm', memory: { minPages: 1, maxPages: 4_096 } }],
      pool: { reusable: true },
    });
    expect(stages).toEqual(['structure', 'imports', 'transpile', 'patch']);
    expect([...result.files.keys()].sort()).toEqual(['component.core.wasm', 'component.js']);
    const core = new WebAssembly.Module(result.files.get('component.core.wasm') as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.imports(core)).toEqual([{ module: 'alga:rt', name: 'memory', kind: 'memory' }]);
    expect(WebAssembly.Module.exports(core)).toContainEqual({ name: 'alga:g0', kind: 'global' });
    expect(result.glue).toContain('state: Object.freeze(');
    expect(result.glue).not.toMatch(/^import /m);
  });

  it('tells each imported function of the platform', async () => {
    const result = await transpiled(await componentOf({ world: 'import secrets; import context;' }));
    expect(result.imports).toEqual([
      'alga:extension/types@1.0.0',
      'alga:extension/secrets@1.0.0',
      'alga:extension/context@1.0.0',
    ]);
    expect(result.functions).toEqual([
      { interface: 'secrets', function: 'get' },
      { interface: 'secrets', function: 'list-keys' },
      { interface: 'context', function: 'get-context' },
    ]);
  });

  it.each([
    ['the platform’s functions', 'import secrets;', '', (text: string) => text, 2],
    [
      'those of the old package without a version',
      'import secrets;',
      '',
      (text: string) => text.replace('extension@1.0.0', 'extension'),
      2,
    ],
    [
      'timers, in any release of WASI 0.2',
      'import wasi:io/poll@0.2.7;',
      `package wasi:io@0.2.7 { interface poll {
        resource pollable { ready: func() -> bool; block: func(); }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
      } }`,
      (text: string) => text,
      2,
    ],
  ])('suspends the guest in %s', async (_kind, world, packages, edit, count) => {
    const { glue } = await transpiled(await componentOf({ world, packages, edit }));
    expect([...glue.matchAll(/_trampoline\d+\.manuallyAsync = true/g)]).toHaveLength(count);
    expect(glue).toContain('new WebAssembly.Suspending(');
  });

  it.each([
    [
      'table.set',
      '(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))',
      'component.core.wasm is used once: its code contains table.set, whose effect cannot be undone',
    ],
    [
      'a mutable reference',
      '(global (mut externref) (ref.null extern))',
      'component.core.wasm is used once: it has a mutable global that is a vector or a reference, which cannot be read from outside',
    ],
  ])('says why a guest with %s is used once', async (_kind, more, reason) => {
    const { pool } = await transpiled(await componentAround(handlerWat({ more })));
    expect(pool).toEqual({ reusable: false, reason });
  });

  it.each([
    ['nothing', new Uint8Array(), {}],
    ['text', new TextEncoder().encode('not wasm at all'), {}],
    ['a core module', Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]), {}],
    ['a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 13, 0, 1, 0]), { runtime: 'legacy' }],
  ])('calls %s what it is not, without starting a child', async (_name, bytes, options) => {
    expect(await code(bytes, { ...options, deadlineMs: 1 })).toBe('not_a_component');
  });

  it('runs nothing: a start function that never ends is published, and ends with the runner’s interruption', async () => {
    const more = '(func $forever (loop (br 0))) (start $forever)';
    const { files } = await transpiled(await componentAround(handlerWat({ more })));
    const core = new WebAssembly.Module(files.get('component.core.wasm') as Uint8Array<ArrayBuffer>);
    expect(WebAssembly.Module.imports(core)).toContainEqual({ module: 'alga:rt', name: 'interrupt', kind: 'memory' });
  });

  it('counts instances as jco makes them: the last that may be is in the glue, and one more is refused', async () => {
    const main = await componentAround(handlerWat());
    /** Around the component's own core module: three instances of a component that instantiates another. */
    const withMore = (times: number, alone: number) =>
      concat(
        main,
        within(define(coreModule({})), instantiate(0, times)),
        within(outerComponent(0), instance(0)),
        instance(0, 2),
        instance(1),
        within(define(coreModule({})), instantiate(0, alone)),
        instance(2),
      );
    const rest = LIMITS.coreInstances - 1 - 3 * 12;
    const { glue } = await transpiled(withMore(12, rest));
    expect([...glue.matchAll(/yield instantiateCore\(/g)]).toHaveLength(LIMITS.coreInstances);
    expect(await transpileComponent(withMore(12, rest + 1), limits)).toMatchObject({
      code: 'too_complex',
      message: expect.stringContaining('instances of core modules'),
    });
  });

  it('refuses each kind of bad component with a code and a sentence of its own', async () => {
    const good = await componentAround(handlerWat());
    const refusals = await Promise.all([
      transpileComponent(good.subarray(0, good.length - 3), limits),
      transpileComponent(await componentOf({ handler: 'export other: func();' }), limits),
      transpileComponent(await componentOf({ world: 'import log: func();' }), limits),
    ]);
    expect(refusals.map((refusal) => !refusal.ok && refusal.code)).toEqual([
      'malformed',
      'no_handler',
      'import_refused',
    ]);
    for (const refusal of refusals) expect(!refusal.ok && refusal.message).toMatch(/^[\x20-\x7e]{10,1000}$/);
  });

  it('leaves what only a compiler can see to the compiler, and reports what it says', async () => {
    const good = await componentAround(handlerWat());
    // i32.store16 of the status becomes i64.store16: the operand has the wrong type.
    const at = Buffer.from(good).indexOf(Buffer.from([0x41, 0xc8, 0x01, 0x3b]));
    const bad = Uint8Array.from(good);
    bad[at + 3] = 0x3d;
    const result = await transpileComponent(bad, limits);
    expect(result).toMatchObject({ ok: false, code: 'component_invalid', message: expect.stringContaining('i64') });
  });

  onLinux('kills a child that is late or out of memory, and leaves none behind', async () => {
    const bytes = await componentOf();
    const before = children();
    expect(await code(bytes, { deadlineMs: 1 })).toBe('timeout');
    expect(await code(bytes, { maxMemoryMb: 4 })).toBe('crashed');
    expect(children()).toEqual(before);
  });
});

describe('what real toolchains make', () => {
  it.each([
    ['starlingmonkey', 145, 512],
    ['quickjs', 20, 64],
    ['c', 1, 64],
  ] as const)(
    'a guest of %s is recognised, and can be used again',
    async (kind, minPages, below) => {
      const { component, engine } = await buildGuest(kind);
      const result = await transpiled(component);
      expect(result).toMatchObject({ engine, runtime: 'component', pool: { reusable: true } });
      expect(result.functions).toContainEqual({ interface: 'secrets', function: 'get' });
      const pages = result.modules.map(({ memory }) => memory?.minPages ?? 0);
      expect(Math.max(...pages)).toBeGreaterThanOrEqual(minPages);
      expect(Math.max(...pages)).toBeLessThan(below);
    },
    BUILD_MS,
  );

  it.each(['assemblyscript', 'wat'] as const)(
    'a legacy module in %s gets our glue, and can be used again',
    async (kind) => {
      const result = await transpiled(await buildLegacy(kind), { runtime: 'legacy' });
      expect(result).toMatchObject({ runtime: 'legacy', engine: 'legacy', pool: { reusable: true } });
      expect(result.modules).toMatchObject([{ name: 'component.core.wasm', memory: { maxPages: 4_096 } }]);
      expect(result.glue).toBe(readFileSync(new URL('./legacy-glue.js', import.meta.url), 'utf8'));
    },
    BUILD_MS,
  );
});
