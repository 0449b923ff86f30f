// Components that strangers upload to break a parser or a compiler. Core modules are in uploads.spec.ts.
import { scanComponent } from './component.ts';
import { u32 } from './encode.ts';
import { LIMITS } from './limits.ts';
import { CORE_PREAMBLE } from './read-core-module.ts';
import { COMPONENT_SECTION, component, nested, withModules } from './testing/component.ts';
import { type Bytes, concat, coreModule, FUNCREF, limits, moduleOf, section, vector } from './testing/core-module.ts';
import {
  blocks,
  expectRefusal,
  functions,
  MAX,
  MIB,
  manyLoops,
  NOTHING,
  repeated,
  sized,
  type Upload,
} from './testing/uploads.ts';

/** A type of strings, twice itself as often as said, and then many more of two of the last. */
function doubling(times: number, more: number): Bytes {
  const twice = (index: number): Bytes => [0x6f, 2, ...u32(index), ...u32(index)];
  return vector([
    [0x6f, 1, 0x73],
    ...Array.from({ length: times }, (_, index) => twice(index)),
    ...repeated(twice(times), more),
  ]);
}

const inSection = (id: number, content: Bytes) => component(section(id, content));

const TOO_COMPLEX: readonly Upload[] = [
  [
    'more than 32 MiB',
    'bytes of the component: 33554433, where 33554432 is the limit',
    () => new Uint8Array(LIMITS.componentBytes + 1),
  ],
  ['components nested 5 deep', 'components within each other: 5, where 4 is the limit', () => nested(5)],
  ['components nested 2,000 deep', 'components within each other: 5, where 4 is the limit', () => nested(2_000)],
  [
    '33 components',
    'components: 33, where 32 is the limit',
    () => component(...repeated(section(COMPONENT_SECTION.component, component()), 32)),
  ],
  ['41 core modules', 'core modules: 41, where 40 is the limit', () => withModules(...repeated(coreModule({}), 41))],
  [
    '41 core modules in two components',
    'core modules: 41, where 40 is the limit',
    () => {
      const twenty = repeated(section(COMPONENT_SECTION.coreModule, coreModule({})), 20);
      return component(section(COMPONENT_SECTION.component, component(...twenty)), ...twenty, ...twenty);
    },
  ],
  [
    'a module that would be refused alone',
    'blocks within each other: 2001',
    () => withModules(moduleOf(blocks(100_000))),
  ],
  [
    'types of 2 MiB',
    'bytes of the component beside its core modules: 2097152, where 1048576 is the limit',
    () => inSection(7, new Uint8Array(2 * MIB)),
  ],
  [
    'core types of 2 MiB in pieces',
    'bytes of the component beside its core modules',
    () => component(...repeated(section(3, new Uint8Array(1024)), 2048)),
  ],
  [
    'a million types of one byte',
    'types of the component: 10001, where 10000 is the limit',
    () => inSection(COMPONENT_SECTION.type, vector(repeated([0x7f], 1_040_000))),
  ],
  [
    'types of instances that have many types each',
    'types of the component: 10001, where 10000 is the limit',
    () => inSection(COMPONENT_SECTION.type, vector(repeated([0x42, 2, 1, 0x7f, 1, 0x7f], 4_000))),
  ],
  [
    'more tables than a sandbox has room for, in five core modules',
    'tables of all core modules: 20, where 16 is the limit',
    () => withModules(...repeated(coreModule({ tables: repeated(concat([FUNCREF], limits(1)), 4) }), 5)),
  ],
  ['types that double', 'characters of', () => inSection(7, doubling(8, 240_000))],
  [
    'types that double on and on',
    'characters of a type of the component, written out',
    () => inSection(7, doubling(60, 1)),
  ],
  [
    'types of instances within each other',
    'types of instances within each other',
    () => inSection(7, concat([1], ...repeated([0x42, 1, 1], 10_000))),
  ],
  [
    '2^32 - 1 fields',
    'members of a type of the component: 4294967295',
    () => inSection(7, concat([1, 0x72], u32(MAX))),
  ],
  [
    '900,000 functions in nine core modules',
    'functions of all core modules',
    () => withModules(...repeated(functions(100_000, sized(NOTHING)), 9)),
  ],
  [
    'a million loops in five core modules',
    'loops and bulk operations of all core modules',
    () => withModules(...repeated(manyLoops(200_000), 5)),
  ],
  [
    'custom sections of 5 MiB',
    'bytes of custom sections of the component: 5242880, where 4194304 is the limit',
    () => inSection(0, new Uint8Array(5 * MIB)),
  ],
];

const MALFORMED: readonly Upload[] = [
  ['a core module', 'not a component of the version in use', () => Uint8Array.from(CORE_PREAMBLE)],
  [
    'a component of another version',
    'not a component of the version in use',
    () => Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0e, 0, 1, 0),
  ],
  ['half a preamble', 'the binary ends within an item', () => component().subarray(0, 5)],
  ['2^32 - 1 types', 'ends within an item', () => inSection(7, u32(MAX))],
  ['2^32 - 1 imports', 'ends within an item', () => inSection(10, u32(MAX))],
  ['2^32 - 1 exports', 'ends within an item', () => inSection(11, u32(MAX))],
  ['2^32 - 1 instances', 'ends within an item', () => inSection(5, u32(MAX))],
  ['2^32 - 1 aliases', 'ends within an item', () => inSection(6, u32(MAX))],
  ['a section with an id of its own', 'a section of the component with the unknown id 77', () => inSection(77, [])],
  ['a section longer than the component', '100 bytes are announced', () => component([7, 100])],
  ['a core module longer than the component', `${MAX} bytes are announced`, () => component([1], u32(MAX))],
  [
    'a core module shorter than it says',
    'the binary ends within an item',
    () => inSection(1, CORE_PREAMBLE.slice(0, 6)),
  ],
  [
    'a nested component longer than its section',
    'bytes are announced',
    () => inSection(4, concat(component(), [7, 100])),
  ],
  ['2^32 - 1 canonical functions', 'the binary ends within an item', () => inSection(8, u32(MAX))],
  ['2^32 - 1 options', 'the binary ends within an item', () => inSection(8, concat([1, 0, 0, 0], u32(MAX)))],
];

const UNSUPPORTED: readonly Upload[] = [
  ['a start function', 'a start function of the component', () => inSection(COMPONENT_SECTION.start, [0, 0, 0])],
  ['a value', 'values at the level of the component', () => inSection(COMPONENT_SECTION.value, [])],
  [
    'an asynchronous built-in',
    'a built-in of asynchronous components (canonical function 0x5)',
    () => inSection(8, [1, 5]),
  ],
  ['a thread', 'a built-in of asynchronous components (canonical function 0x40)', () => inSection(8, [1, 0x40, 0])],
  ['a function lifted as async', 'an option of asynchronous components (6)', () => inSection(8, [1, 0, 0, 0, 1, 6, 0])],
  [
    'a function lowered with a callback',
    'an option of asynchronous components (7)',
    () => inSection(8, [1, 1, 0, 0, 1, 7, 0]),
  ],
];

describe('a component that is too large or too entangled is refused at little cost:', () => {
  it.each(TOO_COMPLEX)('%s', (_what, message, build) => {
    expectRefusal(scanComponent, build(), 'too_complex', message);
  });
});

describe('a component that lies or is none is refused at little cost:', () => {
  it.each(MALFORMED)('%s', (_what, message, build) => {
    expectRefusal(scanComponent, build(), 'malformed', message);
  });
});

describe('a component that runs on after a call, or at its start, is refused:', () => {
  it.each(UNSUPPORTED)('%s', (_what, message, build) => {
    expectRefusal(scanComponent, build(), 'unsupported', message);
  });
});
