// Binaries whose parts do not fit each other, or that need features of V8 that guests do not get.
import { scanModule } from './component.ts';
import { SECTION } from './core-module.ts';
import { u32 } from './encode.ts';
import { CORE_PREAMBLE } from './read-core-module.ts';
import { component } from './testing/component.ts';
import {
  activeData,
  concat,
  coreModule,
  exported,
  FUNCREF,
  imported,
  limits,
  moduleOf,
  name,
  passiveData,
  section,
} from './testing/core-module.ts';
import {
  counting,
  expectRefusal,
  LOOP,
  longBody,
  MAX,
  memory,
  repeated,
  sized,
  type Upload,
  VOID,
} from './testing/uploads.ts';

const NOT_VALID = 'the core module is not valid';

const MALFORMED: readonly Upload[] = [
  ['a memory that may not be as large as it is', 'whose maximum is below its minimum', () => memory(limits(2, 1))],
  ['a section longer than the module', '100 bytes are announced', () => concat(CORE_PREAMBLE, [SECTION.type, 100, 0])],
  ['a section of 4 GiB', `${MAX} bytes are announced`, () => concat(CORE_PREAMBLE, [SECTION.type], u32(MAX))],
  [
    'a section longer than its content',
    'bytes longer than its content',
    () => concat(CORE_PREAMBLE, section(SECTION.type, [0, 1])),
  ],
  [
    'a section shorter than its content',
    'ends within an item',
    () => concat(CORE_PREAMBLE, section(SECTION.type, [1, 0x60])),
  ],
  ['a section with an id of its own', 'unknown id 99', () => concat(CORE_PREAMBLE, section(99, []))],
  [
    'a section twice',
    'the type section is doubled or out of order',
    () => concat(CORE_PREAMBLE, section(1, [0]), section(1, [0])),
  ],
  [
    'sections out of order',
    'the type section is doubled or out of order',
    () => concat(CORE_PREAMBLE, section(3, [0]), section(1, [0])),
  ],
  [
    'a body longer than the section',
    '100 bytes are announced',
    () => coreModule({ types: [VOID], functions: [0], code: [[100, 0]] }),
  ],
  [
    'a body longer than its code',
    'a function body is 1 bytes longer',
    () => coreModule({ types: [VOID], functions: [0], code: [[3, 0, 0x0b, 0x0b]] }),
  ],
  [
    'a body that does not end',
    'ends within an item',
    () => coreModule({ types: [VOID], functions: [0], code: [[2, 0, 0x01]] }),
  ],
  ['a data segment of 4 GiB', `${MAX} bytes are announced`, () => coreModule({ data: [concat([1], u32(MAX))] })],
  [
    'an import whose name is longer than the section',
    'bytes are announced',
    () => coreModule({ imports: [[100, 0x61]] }),
  ],
  ['a name of 4 GiB', `${MAX} bytes are announced`, () => coreModule({ exports: [u32(MAX)] })],
  [
    'bodies without functions',
    'as many function bodies as functions are announced',
    () => coreModule({ code: [longBody(1)] }),
  ],
  ['functions without bodies', 'functions without a body', () => coreModule({ types: [VOID], functions: [0] })],
  [
    'a function of a type that is not there',
    'a function of a type that does not exist',
    () => coreModule({ functions: [0], code: [longBody(0)] }),
  ],
  [
    'a data count that is not true',
    'a data count that is not true',
    () => coreModule({ dataCount: 2, data: [passiveData([])] }),
  ],
  ['2^32 - 1 bodies', 'as many function bodies as functions are announced', () => counting(SECTION.code, MAX)],
  [
    '2^32 - 1 runs of locals',
    'the binary ends within an item',
    () => coreModule({ types: [VOID], functions: [0], code: [sized(u32(MAX))] }),
  ],
  [
    'a module without memory that exports and writes one, which would be the interrupt word',
    NOT_VALID,
    () => moduleOf([0x41, 0, 0x41, 0, 0x36, 2, 0, ...LOOP], { exports: [exported('memory', 'memory', 0)] }),
  ],
  [
    'a module without memory that has a data segment for one',
    NOT_VALID,
    () => moduleOf(LOOP, { data: [activeData([0x41, 0], [0, 0, 0, 0])] }),
  ],
  [
    'a module that exports the memory behind its own',
    NOT_VALID,
    () => moduleOf(LOOP, { memories: [limits(1)], exports: [exported('m', 'memory', 1)] }),
  ],
  [
    'a call of the function behind all, which the patch adds for memory.fill',
    NOT_VALID,
    () =>
      moduleOf([0x41, 0, 0x41, 0, 0x41, 0, 0x10, 1, 0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0], { memories: [limits(1)] }),
  ],
  [
    'a block of the type behind all, which the patch adds for memory.fill',
    NOT_VALID,
    () => moduleOf([0x41, 0, 0x41, 0, 0x41, 0, 0x02, 1, 0xfc, 11, 0, 0x0b], { memories: [limits(1)] }),
  ],
  ['an exported tag', 'an export of the unknown kind 4', () => coreModule({ exports: [concat(name('t'), [4, 0])] })],
  ['nothing', 'the binary ends within an item', () => new Uint8Array()],
  ['text', 'not a core module of version 1', () => new TextEncoder().encode('#!/bin/sh')],
  ['a component', 'not a core module of version 1', () => component()],
  ['a module of version 2', 'not a core module of version 1', () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0)],
];

// Their instructions are in instructions.spec.ts.
const UNSUPPORTED: readonly Upload[] = [
  ['a shared memory', 'a shared memory', () => memory([3, 1, 1])],
  ['a 64-bit memory', 'a 64-bit memory', () => memory([4, 1])],
  ['a shared 64-bit memory', 'a shared memory', () => memory([7, 1, 1])],
  ['a memory of small pages', 'a memory with pages of another size', () => memory([8, 1, 0])],
  ['an imported shared memory', 'a shared memory', () => coreModule({ imports: [imported('m', 'm', 2, [3, 1, 1])] })],
  [
    'a memory beside an imported one',
    'a second memory (multi-memory)',
    () => coreModule({ imports: [imported('m', 'm', 2, limits(1))], memories: [limits(1)] }),
  ],
  [
    'two imported memories',
    'a second memory (multi-memory)',
    () => coreModule({ imports: repeated(imported('m', 'm', 2, limits(1)), 2) }),
  ],
  ['a 64-bit table', 'a 64-bit table', () => coreModule({ tables: [[FUNCREF, 4, 1]] })],
  [
    'a table with an initial value',
    'typed function references (a table with an initial value)',
    () => coreModule({ tables: [[0x40, 0x00, FUNCREF, 0, 1, 0xd0, FUNCREF, 0x0b]] }),
  ],
  ['a tag section', 'exception handling (a tag section)', () => concat(CORE_PREAMBLE, section(13, [1, 0, 0]))],
  [
    'an imported tag',
    'exception handling (an imported tag)',
    () => coreModule({ imports: [imported('t', 't', 4, [0, 0])] }),
  ],
  ['a struct type', 'garbage collection (a type that is not a function)', () => coreModule({ types: [[0x5f, 0]] })],
  [
    'a recursive group of types',
    'garbage collection (a type that is not a function)',
    () => coreModule({ types: [[0x4e, 1, 0x60, 0, 0]] }),
  ],
  [
    'a parameter that is an exception',
    'exception handling or stack switching',
    () => coreModule({ types: [[0x60, 1, 0x69, 0]] }),
  ],
  [
    'a parameter that is a continuation',
    'exception handling or stack switching',
    () => coreModule({ types: [[0x60, 1, 0x68, 0]] }),
  ],
  [
    'a parameter that is a typed reference',
    'typed function references',
    () => coreModule({ types: [[0x60, 1, 0x64, 0, 0]] }),
  ],
  [
    'a parameter that is any reference',
    'garbage collection or other reference types',
    () => coreModule({ types: [[0x60, 1, 0x6e, 0]] }),
  ],
];

describe('a core module that lies or contradicts itself is refused at little cost:', () => {
  it.each(MALFORMED)('%s', (_what, message, build) => {
    expectRefusal(scanModule, build(), 'malformed', message);
  });
});

describe('a core module that needs what guests do not get is refused at little cost:', () => {
  it.each(UNSUPPORTED)('%s', (_what, message, build) => {
    expectRefusal(scanModule, build(), 'unsupported', message);
  });
});
