// What strangers upload to break a compiler: each is refused in a sentence of its own, before V8 or jco sees a byte, in
// little time and memory.
import { scanModule } from './component.ts';
import { SECTION } from './core-module.ts';
import { u32 } from './encode.ts';
import { LIMITS } from './limits.ts';
import { CORE_PREAMBLE } from './read-core-module.ts';
import {
  activeElements,
  body,
  concat,
  coreModule,
  customSection,
  exported,
  FUNCREF,
  functionType,
  global,
  I32,
  I64,
  imported,
  join,
  limits,
  moduleOf,
  passiveData,
} from './testing/core-module.ts';
import { patch } from './testing/patched.ts';
import {
  blocks,
  counting,
  expectRefusal,
  functions,
  LOOP,
  longBody,
  MAX,
  MIB,
  memory,
  NOTHING,
  repeated,
  sized,
  type Upload,
  VOID,
} from './testing/uploads.ts';
import { v8 } from './testing/v8.ts';

const TOO_COMPLEX: readonly Upload[] = [
  [
    'a locals bomb: 200,000 functions of 50,000 locals, run-length coded',
    'functions: 200000, where 100000 is the limit',
    () => functions(200_000, sized([1, ...u32(50_000), I64, 0x0b])),
  ],
  [
    'a locals bomb in fewer functions',
    'locals of a function: 50000, where 5000 is the limit',
    () => functions(10_000, sized([1, ...u32(50_000), I64, 0x0b])),
  ],
  [
    'a locals bomb of modest functions',
    'locals of all functions of a module: 505000, where 500000 is the limit',
    () => functions(50_000, sized([1, ...u32(5_000), I64, 0x0b])),
  ],
  [
    'locals whose sum is beyond 32 bits',
    'locals of a function: 4294967295, where 5000 is the limit',
    () => functions(1, sized([2, ...u32(MAX), I64, ...u32(MAX), I64, 0x0b])),
  ],
  [
    'a function of 7 MB',
    'bytes of a function body: 7000002, where 1048576 is the limit',
    () => coreModule({ types: [VOID], functions: [0], code: [longBody(7_000_000)] }),
  ],
  [
    'blocks nested 100,000 deep',
    'blocks within each other: 2001, where 2000 is the limit',
    () => moduleOf(blocks(100_000)),
  ],
  [
    'many blocks times many locals',
    'blocks of a function times its locals: 150030000, where 5000000 is the limit',
    () => moduleOf([], { code: [body([[5_000, I32]], join(repeated([0x02, 0x40, 0x0b], 30_000)))] }),
  ],
  [
    'a million loops',
    'loops and bulk operations of all functions of a module: 300000, where 250000 is the limit',
    () =>
      coreModule({
        types: [VOID],
        functions: [0, 0, 0, 0],
        code: repeated(body([], join(repeated(LOOP, 300_000))), 4),
      }),
  ],
  ['900,000 functions', 'functions: 900000, where 100000 is the limit', () => functions(900_000, sized(NOTHING))],
  [
    'a br_table of a million targets',
    'targets of a br_table: 1000000, where 10000 is the limit',
    () => moduleOf(concat([0x41, 0x00, 0x0e], u32(1_000_000), new Uint8Array(1_000_001))),
  ],
  [
    'a function of a thousand parameters',
    'params of a function: 1000, where 100 is the limit',
    () => coreModule({ types: [functionType(new Array<number>(1_000).fill(I32), [])] }),
  ],
  [
    'a function of a thousand results',
    'results of a function: 1000, where 16 is the limit',
    () => coreModule({ types: [functionType([], new Array<number>(1_000).fill(I32))] }),
  ],
  [
    'a million types',
    'types: 1000000, where 10000 is the limit',
    () => coreModule({ types: repeated(VOID, 1_000_000) }),
  ],
  [
    'a long constant expression',
    'bytes of a constant expression: 130, where 128 is the limit',
    () => coreModule({ globals: [global(I32, false, join([[0x41, 0], ...repeated([0x41, 0, 0x6a], 1_000)]))] }),
  ],
  [
    'a memory of 4 GiB from the start',
    'pages of a memory at the start: 65536, where 4096 is the limit',
    () => memory(limits(65_536)),
  ],
  ['two memories', 'memories: 2, where 1 is the limit', () => memory(limits(1), limits(1))],
  [
    '100,000 memories',
    'memories: 100000, where 1 is the limit',
    () => coreModule({ memories: repeated(limits(0), 100_000) }),
  ],
  [
    'a table of 10 million elements',
    'elements of a table: 10000000, where 131072 is the limit',
    () => coreModule({ tables: [concat([FUNCREF], limits(10_000_000))] }),
  ],
  [
    'an imported table of 10 million elements',
    'elements of a table: 10000000, where 131072 is the limit',
    () => coreModule({ imports: [imported('t', 't', 1, concat([FUNCREF], limits(10_000_000)))] }),
  ],
  [
    '1,000 tables',
    'tables: 1000, where 4 is the limit',
    () => coreModule({ tables: repeated(concat([FUNCREF], limits(1)), 1_000) }),
  ],
  [
    'a million globals',
    'globals: 1000000, where 4096 is the limit',
    () => coreModule({ globals: repeated(global(I32, true, [0x41, 0]), 1_000_000) }),
  ],
  [
    'a million elements',
    'elements of all element segments: 1000000, where 262144 is the limit',
    () =>
      coreModule({
        tables: [concat([FUNCREF], limits(1))],
        elements: [activeElements(new Array<number>(1_000_000).fill(0))],
      }),
  ],
  [
    '100,000 element segments',
    'element segments: 100000, where 1000 is the limit',
    () => coreModule({ elements: repeated([1, 0, 0], 100_000) }),
  ],
  [
    'a million data segments',
    'data segments: 1000000, where 20000 is the limit',
    () => coreModule({ data: repeated(passiveData([]), 1_000_000) }),
  ],
  [
    'a million imports',
    'imports: 1000000, where 2000 is the limit',
    () => coreModule({ types: [VOID], imports: repeated(imported('', '', 0, [0]), 1_000_000) }),
  ],
  [
    'a million exports',
    'exports: 1000000, where 2000 is the limit',
    () => coreModule({ exports: repeated(exported('', 'function', 0), 1_000_000) }),
  ],
  [
    'custom sections of 5 MiB',
    `bytes of custom sections: ${5 * MIB + 7}, where 4194304 is the limit`,
    () => concat(CORE_PREAMBLE, customSection('x', new Uint8Array(5 * MIB))),
  ],
  [
    'millions of empty custom sections',
    'bytes of custom sections: 4194306, where 4194304 is the limit',
    () => join([CORE_PREAMBLE, ...repeated(customSection('', []), 2_000_000)]),
  ],
  [
    'a body of 4 GiB',
    `bytes of a function body: ${MAX}`,
    () => coreModule({ types: [VOID], functions: [0], code: [u32(MAX)] }),
  ],
  ['2^32 - 1 types', `types: ${MAX}`, () => counting(SECTION.type, MAX)],
  ['2^32 - 1 imports', `imports: ${MAX}`, () => counting(SECTION.import, MAX)],
  ['2^32 - 1 functions', `functions: ${MAX}`, () => counting(SECTION.function, MAX)],
  ['2^32 - 1 tables', `tables: ${MAX}`, () => counting(SECTION.table, MAX)],
  ['2^32 - 1 memories', `memories: ${MAX}`, () => counting(SECTION.memory, MAX)],
  ['2^32 - 1 globals', `globals: ${MAX}`, () => counting(SECTION.global, MAX)],
  ['2^32 - 1 exports', `exports: ${MAX}`, () => counting(SECTION.export, MAX)],
  ['2^32 - 1 element segments', `element segments: ${MAX}`, () => counting(SECTION.element, MAX)],
  [
    '2^32 - 1 elements',
    `elements of all element segments: ${MAX}`,
    () => coreModule({ elements: [concat([1, 0], u32(MAX))] }),
  ],
  ['2^32 - 1 data segments', `data segments: ${MAX}`, () => counting(SECTION.data, MAX)],
  ['2^32 - 1 params', `params of a function: ${MAX}`, () => coreModule({ types: [concat([0x60], u32(MAX))] })],
  ['2^32 - 1 targets', `targets of a br_table: ${MAX}`, () => moduleOf(concat([0x0e], u32(MAX)))],
  [
    'more than 32 MiB',
    'bytes of the core module: 33554433, where 33554432 is the limit',
    () => new Uint8Array(LIMITS.componentBytes + 1),
  ],
];

describe('a core module that is too large or too entangled is refused at little cost:', () => {
  it.each(TOO_COMPLEX)('%s', (_what, message, build) => {
    expectRefusal(scanModule, build(), 'too_complex', message);
  });
});

describe('a core module just within the limits', () => {
  it.each<[string, () => Uint8Array]>([
    ['functions', () => functions(LIMITS.functions, sized(NOTHING))],
    [
      'locals',
      () =>
        functions(
          LIMITS.totalLocals / LIMITS.localsPerFunction,
          sized([1, ...u32(LIMITS.localsPerFunction), I64, 0x0b]),
        ),
    ],
    ['code', () => coreModule({ types: [VOID], functions: [0], code: [longBody(LIMITS.bodyBytes - 2)] })],
    ['nesting', () => moduleOf(blocks(LIMITS.blockNesting - 1))],
    ['memory', () => memory(limits(LIMITS.memoryPages))],
    ['tables', () => coreModule({ tables: repeated(concat([FUNCREF], limits(LIMITS.tableElements)), LIMITS.tables) })],
    ['globals', () => coreModule({ globals: repeated(global(I32, true, [0x41, 0]), LIMITS.globals) })],
    ['data', () => coreModule({ data: repeated(passiveData([]), LIMITS.dataSegments) })],
    ['types', () => coreModule({ types: repeated(VOID, LIMITS.types) })],
  ])('passes, and V8 takes it before the patch and after: %s', (_name, build) => {
    const bytes = build();
    expect(v8.validate(bytes)).toBe(true);
    expect(v8.validate(patch(bytes).bytes)).toBe(true);
  });
});
