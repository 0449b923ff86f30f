// How often what a component defines is instantiated, counted through every way to say it.
import { scanComponent } from './component.ts';
import { LIMITS } from './limits.ts';
import {
  alias,
  COMPONENT_SECTION,
  component,
  define,
  instance,
  instantiate,
  outerComponent,
  outerModule,
  within,
} from './testing/component.ts';
import { type Bytes, concat, coreModule, FUNCREF, join, limits, name, section, vector } from './testing/core-module.ts';
import { expectRefusal, repeated } from './testing/uploads.ts';

const EMPTY = coreModule({});
const WITH_MEMORY = coreModule({ memories: [limits(1)] });
const WITH_TABLE = coreModule({ tables: [concat([FUNCREF], limits(1))] });

const twice = (owned: string, number = 0) =>
  `core module ${number} defines a ${owned} and is instantiated 2 times, where once is the limit`;

describe('a core module that defines a memory or table is instantiated once, or refused:', () => {
  it.each<[string, string, Uint8Array]>([
    ['a memory', twice('memory'), component(define(WITH_MEMORY), instantiate(0, 2))],
    ['a table', twice('table'), component(define(WITH_TABLE), instantiate(0, 2))],
    ['in two sections', twice('memory'), component(define(WITH_MEMORY), instantiate(0), instantiate(0))],
    [
      'named by its number among all modules',
      twice('memory', 2),
      component(define(EMPTY), within(define(EMPTY)), define(WITH_MEMORY), instantiate(0, 5), instantiate(1, 2)),
    ],
    [
      'in a component that is instantiated twice',
      twice('memory'),
      component(within(define(WITH_MEMORY), instantiate(0)), instance(0, 2)),
    ],
    [
      'in a component that is instantiated by one that is instantiated twice',
      twice('memory'),
      component(within(within(define(WITH_MEMORY), instantiate(0)), instance(0)), instance(0), instance(0)),
    ],
    [
      'once here, and once in a component that knows it from outside',
      twice('memory'),
      component(define(WITH_MEMORY), within(outerModule(0), instantiate(0)), instantiate(0), instance(0)),
    ],
    [
      'through another name of it',
      twice('memory'),
      component(define(WITH_MEMORY), alias(0x00, 0x11, 0x02, 0, 0), instantiate(0), instantiate(1)),
    ],
    [
      'through another name of its component',
      twice('memory'),
      component(
        within(define(WITH_MEMORY), instantiate(0)),
        within(outerComponent(0), instance(0)),
        instance(0),
        instance(1),
      ),
    ],
    [
      'in a component that nobody instantiates',
      twice('memory'),
      component(within(define(WITH_MEMORY), instantiate(0, 2))),
    ],
  ])('%s', (_how, message, bytes) => {
    expectRefusal(scanComponent, bytes, 'too_complex', message);
  });

  it.each<[string, Uint8Array]>([
    ['once', component(define(WITH_MEMORY), instantiate(0))],
    [
      'once, in a component that is instantiated once',
      component(within(define(WITH_MEMORY), instantiate(0)), instance(0)),
    ],
    [
      'once each of two that are alike',
      component(define(WITH_MEMORY), define(WITH_MEMORY), instantiate(0), instantiate(1)),
    ],
    ['often, without a memory or table of its own', component(define(EMPTY), instantiate(0, LIMITS.coreInstances))],
    ['not at all', component(define(WITH_MEMORY))],
  ])('%s: it passes', (_how, bytes) => {
    expect(scanComponent(bytes)).toMatchObject({ ok: true });
  });
});

describe('the number of instances is bounded, however it is multiplied:', () => {
  /** Each level instantiates the one within so many times. */
  function levels(depth: number, times: number, innermost: Bytes): Uint8Array {
    let inner = innermost;
    for (let level = 0; level < depth; level++) {
      inner = join([section(COMPONENT_SECTION.component, component(inner)), instance(0, times)]);
    }
    return component(inner);
  }
  const one = concat(define(EMPTY), instantiate(0));
  const cores = `instances of core modules: ${LIMITS.coreInstances + 1}, where ${LIMITS.coreInstances} is the limit`;
  const instances = 'instances of components';

  it.each<[string, string, Uint8Array]>([
    ['core instances', cores, component(define(EMPTY), instantiate(0, LIMITS.coreInstances + 1))],
    ['core instances of a component', cores, levels(1, LIMITS.coreInstances + 1, one)],
    ['core instances of two levels', 'instances of core modules', levels(2, 7, one)],
    ['instances', instances, levels(1, LIMITS.instances + 1, [])],
    ['instances of three levels, a billion', instances, levels(3, 1_000, [])],
    ['instances of three levels', instances, levels(3, 6, [])],
    [
      'exports that are put together',
      instances,
      component(section(COMPONENT_SECTION.instance, vector(repeated([1, 0], 500_000)))),
    ],
  ])('%s', (_what, message, bytes) => {
    expectRefusal(scanComponent, bytes, 'too_complex', message);
  });

  it.each<[string, Uint8Array]>([
    ['core instances', levels(1, LIMITS.coreInstances, one)],
    ['core instances of two levels', levels(2, 6, one)],
    ['instances', levels(1, LIMITS.instances, [])],
    ['instances of three levels', levels(3, 4, [])],
  ])('%s within the limit pass', (_what, bytes) => {
    expect(scanComponent(bytes)).toMatchObject({ ok: true });
  });
});

describe('a component or core module that is not named where it is defined cannot be counted, and is refused:', () => {
  const COMPONENT_TYPE = section(COMPONENT_SECTION.type, vector([[0x41, 0]]));
  const of = (what: string) => `a component or core module ${what}`;
  const named = (id: number, ...content: number[]) => section(id, vector([concat([0], name('x'), content)]));
  /** An instance that is said to export a component, or a core module. */
  const exporting = (type: number[]) =>
    concat(
      section(COMPONENT_SECTION.type, vector([concat([0x42, 2, 1, 0x41, 0, 4, 0], name('x'), type)])),
      named(COMPONENT_SECTION.import, 5, 0),
    );

  it.each<[string, string, Uint8Array]>([
    ['an imported component', of('as an import'), component(COMPONENT_TYPE, named(COMPONENT_SECTION.import, 4, 0))],
    ['an imported core module', of('as an import'), component(named(COMPONENT_SECTION.import, 0, 0x11, 0))],
    [
      'a component as an import of one within',
      of('as an import'),
      component(within(COMPONENT_TYPE, named(COMPONENT_SECTION.import, 4, 0))),
    ],
    ['an exported component', of('as an export'), component(within(), named(COMPONENT_SECTION.export, 4, 0, 0))],
    [
      'an exported core module',
      of('as an export'),
      component(define(EMPTY), named(COMPONENT_SECTION.export, 0, 0x11, 0, 0)),
    ],
    [
      'a component out of an instance',
      of('taken out of an instance'),
      component(exporting([4, 0]), section(COMPONENT_SECTION.alias, vector([concat([4, 0, 0], name('x'))]))),
    ],
    [
      'a core module out of an instance',
      of('taken out of an instance'),
      component(
        exporting([0, 0x11, 0]),
        section(COMPONENT_SECTION.alias, vector([concat([0, 0x11, 0, 0], name('x'))])),
      ),
    ],
  ])('%s', (_what, message, bytes) => {
    expectRefusal(scanComponent, bytes, 'unsupported', message);
  });

  it.each<[string, string, Uint8Array]>([
    ['a core module', 'a core module that it does not have (1)', component(define(EMPTY), instantiate(1))],
    ['a core module of a component within', 'does not have (0)', component(within(define(EMPTY)), instantiate(0))],
    ['a component', 'a component that is not there', component(instance(0))],
    ['an outer core module', 'something that is not there', component(within(outerModule(0)))],
  ])('so is one that is nowhere: %s', (_what, message, bytes) => {
    expectRefusal(scanComponent, bytes, 'malformed', message);
  });
});
