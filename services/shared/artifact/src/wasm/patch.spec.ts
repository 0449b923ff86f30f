import { scanModule } from './component.ts';
import { LIMITS } from './limits.ts';
import { CORE_PREAMBLE } from './read-core-module.ts';
import {
  activeElements,
  type Bytes,
  body,
  concat,
  exported,
  F32,
  F64,
  FUNCREF,
  functionType,
  global,
  I32,
  I64,
  imported,
  limits,
  moduleOf,
  passiveData,
  V128,
} from './testing/core-module.ts';
import { patch, runOriginal, runPatched } from './testing/patched.ts';
import { v8, type WasmGlobal } from './testing/v8.ts';

const NOTHING: Bytes = [];
const LOOP: Bytes = [0x03, 0x40, 0x0b];
const ZERO: Bytes = [0x41, 0x00];
const FUNCTION_IMPORT: Bytes = [0x00];

const importsOf = (bytes: Uint8Array) => v8.Module.imports(new v8.Module(bytes));
const exportNames = (bytes: Uint8Array) => v8.Module.exports(new v8.Module(bytes)).map(({ name }) => name);
const compiles = (bytes: Uint8Array) => v8.validate(bytes);

describe('the memory of a module', () => {
  const withMemory = (min: number, max?: number) =>
    moduleOf(NOTHING, { memories: [limits(min, max)], exports: [exported('memory', 'memory', 0)] });

  it.each([
    ['as declared', 2, 5, 5],
    ['declared above the ceiling', 2, 65_536, LIMITS.memoryPages],
    ['not declared', 3, undefined, LIMITS.memoryPages],
    ['declared as never growing', 0, 0, 0],
  ])('is imported, with a maximum %s', (_name, min, max, maxPages) => {
    const patched = patch(withMemory(min, max));
    expect(patched.memory).toEqual({ minPages: min, maxPages });
    expect(importsOf(patched.bytes)).toEqual([{ module: 'alga:rt', name: 'memory', kind: 'memory' }]);
    // V8 takes a memory of exactly these limits, or of a lower maximum, and no other.
    const instantiate = (initial: number, maximum: number) =>
      new v8.Instance(new v8.Module(patched.bytes), { 'alga:rt': { memory: new v8.Memory({ initial, maximum }) } });
    instantiate(min, maxPages);
    instantiate(min, min);
    expect(() => instantiate(min, maxPages + 1)).toThrow(v8.LinkError);
    if (min > 0) expect(() => instantiate(min - 1, maxPages)).toThrow(v8.LinkError);
  });

  it('stays what it exports, and what its code means', () => {
    const { exports, memory } = runPatched(
      // i32.store8 of 42 at 7
      moduleOf([...ZERO, 0x41, 0x2a, 0x3a, 0x00, 0x07], {
        memories: [limits(1, 1)],
        exports: [exported('run', 'function', 0), exported('memory', 'memory', 0)],
      }),
    );
    (exports.run as () => void)();
    expect(exports.memory).toBe(memory);
    expect(new Uint8Array(memory?.buffer ?? new ArrayBuffer(0))[7]).toBe(0x2a);
  });

  it('that it imports from another module stays so, in front of the interrupt word', () => {
    const bytes = moduleOf(LOOP, { imports: [imported('env', 'memory', 2, limits(1))] });
    const patched = patch(bytes);
    expect(patched.memory).toBeNull();
    expect(importsOf(patched.bytes).map(({ module, name }) => `${module} ${name}`)).toEqual([
      'env memory',
      'alga:rt interrupt',
    ]);
  });

  it('is not invented: a module without one imports at most the interrupt word', () => {
    expect(importsOf(patch(moduleOf(NOTHING)).bytes)).toEqual([]);
    const patched = patch(moduleOf(LOOP));
    expect(patched.memory).toBeNull();
    expect(importsOf(patched.bytes)).toEqual([{ module: 'alga:rt', name: 'interrupt', kind: 'memory' }]);
  });

  it('of the interrupt word is shared and has one page', () => {
    const { bytes } = patch(moduleOf(LOOP));
    const instantiate = (initial: number, maximum: number, shared: boolean) =>
      new v8.Instance(new v8.Module(bytes), {
        'alga:rt': { interrupt: new v8.Memory({ initial, maximum, shared }) },
      });
    instantiate(1, 1, true);
    expect(() => instantiate(1, 1, false)).toThrow(v8.LinkError);
    expect(() => instantiate(1, 2, true)).toThrow(v8.LinkError);
  });
});

describe('mutable globals', () => {
  const globals = [
    global(I32, true, [0x41, 0x2a]),
    global(I32, false, [0x41, 0x01]),
    global(I64, true, [0x42, 0x2b]),
    global(F32, true, [0x43, 0x00, 0x00, 0x80, 0x3f]),
    global(F64, true, [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
  ];

  it('are exported by their index, with their values; constants are not', () => {
    const { exports } = runPatched(moduleOf(NOTHING, { globals }));
    const values = Object.entries(exports).flatMap(([name, value]) =>
      name.startsWith('alga:') ? [[name, (value as WasmGlobal).value]] : [],
    );
    expect(values).toEqual([
      ['alga:g0', 42],
      ['alga:g2', 43n],
      ['alga:g3', 1],
      ['alga:g4', 1.5],
    ]);
  });

  it('are numbered behind the imported ones, which belong to another module', () => {
    const bytes = moduleOf(NOTHING, {
      imports: [imported('env', 'g', 3, [I32, 0x00]), imported('env', 'f', 0, FUNCTION_IMPORT)],
      globals,
      exports: [],
    });
    expect(exportNames(patch(bytes).bytes)).toEqual(['alga:g1', 'alga:g3', 'alga:g4', 'alga:g5']);
  });

  it('can be put back from outside, and the code sees it', () => {
    // global.get 0
    const bytes = moduleOf([], {
      types: [functionType([], [I32])],
      globals,
      code: [body([], [0x23, 0x00])],
    });
    const { exports } = runPatched(bytes);
    (exports['alga:g0'] as WasmGlobal).value = 7;
    expect((exports.run as () => unknown)()).toBe(7);
  });

  it('that the module exports by a name of its own keep it', () => {
    const bytes = moduleOf(NOTHING, { globals, exports: [exported('mine', 'global', 0)] });
    const { exports } = runPatched(bytes);
    expect(Object.keys(exports)).toEqual(['mine', 'alga:g0', 'alga:g2', 'alga:g3', 'alga:g4']);
    expect((exports.mine as WasmGlobal).value).toBe((exports['alga:g0'] as WasmGlobal).value);
  });
});

describe('tables', () => {
  const tableOf = (min: number, max?: number) =>
    runPatched(
      moduleOf(NOTHING, {
        tables: [concat([FUNCREF], limits(min, max))],
        exports: [exported('table', 'table', 0)],
        elements: [activeElements([0])],
      }),
    ).exports.table as { readonly length: number; grow(by: number): number };

  it('grow to the ceiling and no further where they declare no maximum', () => {
    const table = tableOf(1);
    expect(table.grow(LIMITS.tableElements - 1)).toBe(1);
    expect(() => table.grow(1)).toThrow(RangeError);
  });

  it('keep a lower maximum, and lose a higher one', () => {
    const small = tableOf(1, 2);
    expect(small.grow(1)).toBe(1);
    expect(() => small.grow(1)).toThrow(RangeError);
    expect(() => tableOf(1, 2 ** 32 - 1).grow(LIMITS.tableElements)).toThrow(RangeError);
  });
});

describe('names of the platform', () => {
  it.each([
    [
      'an import',
      moduleOf(NOTHING, { imports: [imported('alga:rt', 'interrupt', 2, limits(1))] }),
      'an import of alga:rt',
    ],
    [
      'an import of a function',
      moduleOf(NOTHING, { imports: [imported('alga:rt', 'f', 0, FUNCTION_IMPORT)] }),
      'alga:rt',
    ],
    [
      'an export',
      moduleOf(NOTHING, { exports: [exported('alga:g0', 'function', 0)] }),
      'an export whose name begins with alga:',
    ],
    [
      'an export like no other',
      moduleOf(NOTHING, { exports: [exported('alga:x', 'function', 0)] }),
      'begins with alga:',
    ],
  ])('are not for modules: %s is refused', (_name, bytes, message) => {
    expect(compiles(bytes)).toBe(true);
    expect(scanModule(bytes)).toEqual({ ok: false, code: 'unsupported', message: expect.stringContaining(message) });
  });

  it('are these alone: a name that only contains one is free', () => {
    const bytes = moduleOf(NOTHING, {
      imports: [imported('alga:rtx', 'f', 0, FUNCTION_IMPORT)],
      exports: [exported('x-alga:', 'function', 0)],
    });
    expect(compiles(patch(bytes).bytes)).toBe(true);
  });
});

describe('whether an instance can be put back to its beginning', () => {
  const rich = (code: Bytes) =>
    moduleOf(code, {
      tables: [concat([FUNCREF], limits(1))],
      memories: [limits(1)],
      elements: [concat([1, 0, 1, 0])],
      dataCount: 1,
      data: [passiveData([1])],
    });
  const THREE: Bytes = [...ZERO, ...ZERO, ...ZERO];
  const NULL: Bytes = [0xd0, FUNCREF];

  it.each([
    ['table.set', [...ZERO, ...NULL, 0x26, 0x00]],
    ['table.grow', [...NULL, ...ZERO, 0xfc, 15, 0x00, 0x1a]],
    ['table.fill', [...ZERO, ...NULL, ...ZERO, 0xfc, 17, 0x00]],
    ['table.copy', [...THREE, 0xfc, 14, 0x00, 0x00]],
    ['table.init', [...THREE, 0xfc, 12, 0x00, 0x00]],
    ['elem.drop', [0xfc, 13, 0x00]],
    ['data.drop', [0xfc, 9, 0x00]],
  ])('not after %s', (instruction, code) => {
    const patched = patch(rich(code));
    expect(compiles(patched.bytes)).toBe(true);
    expect(patched.notReusable).toBe(`its code contains ${instruction}, whose effect cannot be undone`);
  });

  it.each([
    ['memory.init', [...THREE, 0xfc, 8, 0x00, 0x00]],
    ['memory.copy', [...THREE, 0xfc, 10, 0x00, 0x00]],
    ['memory.fill', [...THREE, 0xfc, 11, 0x00]],
    ['memory.grow', [...ZERO, 0x40, 0x00, 0x1a]],
    ['table.get', [...ZERO, 0x25, 0x00, 0x1a]],
    ['table.size', [0xfc, 16, 0x00, 0x1a]],
    ['call_indirect', [...ZERO, 0x11, 0x00, 0x00]],
  ])('but after %s', (_instruction, code) => {
    const patched = patch(rich(code));
    expect(compiles(patched.bytes)).toBe(true);
    expect(patched.notReusable).toBeUndefined();
  });

  it.each([
    ['vector', V128, [0xfd, 12, ...new Uint8Array(16)]],
    ['reference', FUNCREF, NULL],
  ])('not with a mutable global that is a %s', (_name, type, initial) => {
    const patched = patch(moduleOf(NOTHING, { globals: [global(type, true, initial)] }));
    expect(compiles(patched.bytes)).toBe(true);
    expect(patched.notReusable).toContain('a mutable global that is a vector or a reference');
    const constant = patch(moduleOf(NOTHING, { globals: [global(type, false, initial)] }));
    expect(constant.notReusable).toBeUndefined();
  });
});

describe('what a patched module leaves out', () => {
  it('is its custom sections, and nothing of what it is without them', () => {
    const plain = moduleOf(LOOP);
    const noisy = concat(
      CORE_PREAMBLE,
      [0, 5, 4, 0x6e, 0x61, 0x6d, 0x65],
      plain.subarray(CORE_PREAMBLE.length),
      [0, 3, 1, 0x78, 0xff],
    );
    expect(compiles(noisy)).toBe(true);
    expect(patch(noisy).bytes).toEqual(patch(plain).bytes);
  });

  it('is no part of an empty module', () => {
    const empty = Uint8Array.from(CORE_PREAMBLE);
    expect(patch(empty).bytes).toEqual(empty);
    expect(runOriginal(patch(empty).bytes).exports).toEqual({});
  });
});
