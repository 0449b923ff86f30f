// The structural scan of a component, before jco's parser or V8 sees a byte of it. Core modules are read in full; the types
// of what the component imports and exports are resolved; what would let it run on after a call is refused. Whether all
// types fit each other is jco's to check, in the same disposable child.
import type { CoreModule } from './core-module.ts';
import { Instantiations } from './instantiations.ts';
import { type Entity, readAlias, readExternName, readExternType, readType, SORTS, Space } from './interface-types.ts';
import { LIMITS } from './limits.ts';
import { readCoreModule } from './read-core-module.ts';
import { Reader } from './reader.ts';
import { atMost, malformed, refusalOf, unsupported, type WasmRefusal } from './refused.ts';

/** A component's imports and exports by name. */
interface Interface {
  readonly imports: ReadonlyMap<string, Entity>;
  readonly exports: ReadonlyMap<string, Entity>;
}

interface Body extends Interface {
  readonly makes: Instantiations;
}

export type ScannedComponent =
  | ({ readonly ok: true; readonly modules: readonly CoreModule[] } & Interface)
  | WasmRefusal;

export type ScannedModule = { readonly ok: true; readonly module: CoreModule } | WasmRefusal;

/** `\0asm`, version 13, layer 1. */
const COMPONENT_PREAMBLE: readonly number[] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

const SECTION = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  coreType: 3,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canonical: 8,
  start: 9,
  import: 10,
  export: 11,
  value: 12,
} as const;

/** Scans a component with all that is nested in it. */
export function scanComponent(bytes: Uint8Array): ScannedComponent {
  try {
    atMost(bytes.length, LIMITS.componentBytes, 'bytes of the component');
    const scan = new Scan();
    const { imports, exports } = scan.component(new Reader(bytes), new Space(), 1);
    return { ok: true, modules: scan.modules, imports, exports };
  } catch (error) {
    return refusalOf(error);
  }
}

/** Scans a core module that stands alone. */
export function scanModule(bytes: Uint8Array): ScannedModule {
  try {
    atMost(bytes.length, LIMITS.componentBytes, 'bytes of the core module');
    const module = readCoreModule(new Reader(bytes));
    // Or the patch could make it valid: without a memory of its own it would have the interrupt word as its memory.
    if (!WebAssembly.validate(bytes))
      malformed('the core module is not valid: its types or indexes contradict each other');
    return { ok: true, module };
  } catch (error) {
    return refusalOf(error);
  }
}

class Scan {
  readonly modules: CoreModule[] = [];
  #components = 0;
  #sectionBytes = 0;
  #customBytes = 0;
  readonly #all = { functions: 0, sites: 0, totalLocals: 0, tables: 0 };

  /** Limits of one core module hold for all of a component together: each is compiled. */
  #add(module: CoreModule): void {
    this.modules.push(module);
    const all = this.#all;
    all.functions += module.functions.length;
    all.sites += module.facts.sites;
    all.totalLocals += module.facts.totalLocals;
    all.tables += module.tables.length;
    atMost(all.functions, LIMITS.functions, 'functions of all core modules');
    atMost(all.sites, LIMITS.sites, 'loops and bulk operations of all core modules');
    atMost(all.totalLocals, LIMITS.totalLocals, 'locals of all core modules');
    atMost(all.tables, LIMITS.allTables, 'tables of all core modules');
  }

  component(reader: Reader, space: Space, depth: number): Body {
    atMost(depth, LIMITS.componentNesting, 'components within each other');
    atMost(++this.#components, LIMITS.components, 'components');
    if (COMPONENT_PREAMBLE.some((byte) => reader.u8() !== byte)) malformed('not a component of the version in use');
    const imports = new Map<string, Entity>();
    const exports = new Map<string, Entity>();
    const makes = new Instantiations();
    while (!reader.done) {
      const id = reader.u8();
      const section = reader.sub(reader.u32());
      if (id === SECTION.coreModule) {
        atMost(this.modules.length + 1, LIMITS.coreModules, 'core modules');
        const module = readCoreModule(section);
        space.coreModules.push({ number: this.modules.length, module });
        this.#add(module);
      } else if (id === SECTION.component) {
        const nested = this.component(section, new Space(space), depth + 1);
        space.components.push({ sort: 'component', exports: nested.exports, makes: nested.makes });
      } else if (id === SECTION.custom) {
        this.#customBytes += section.end - section.at;
        atMost(this.#customBytes, LIMITS.customBytes, 'bytes of custom sections of the component');
      } else {
        this.#sectionBytes += section.end - section.at;
        atMost(this.#sectionBytes, LIMITS.componentSectionBytes, 'bytes of the component beside its core modules');
        readSection(id, section, space, { imports, exports, makes });
      }
    }
    return { imports, exports, makes };
  }
}

function readSection(
  id: number,
  reader: Reader,
  space: Space,
  { imports, exports, makes }: { imports: Map<string, Entity>; exports: Map<string, Entity>; makes: Instantiations },
): void {
  switch (id) {
    case SECTION.coreType:
      // About core modules only, which jco checks.
      return;
    case SECTION.coreInstance:
      forEach(reader, () => readCoreInstance(reader, space, makes));
      break;
    case SECTION.instance:
      forEach(reader, () => space.instances.push(readInstance(reader, space, makes)));
      break;
    case SECTION.alias:
      forEach(reader, () => space.add(readAlias(reader, space)));
      break;
    case SECTION.type:
      forEach(reader, () => space.types.push(readType(reader, space)));
      break;
    case SECTION.canonical:
      forEach(reader, () => readCanonicalFunction(reader, space));
      break;
    case SECTION.import:
      forEach(reader, () => {
        const name = readExternName(reader);
        const entity = readExternType(reader, space);
        if (entity.sort === 'other' || entity.sort === 'component') notCountable('import');
        space.add(entity);
        imports.set(name, entity);
      });
      break;
    case SECTION.export:
      forEach(reader, () => {
        const name = readExternName(reader);
        const entity = readSortIndex(reader, space);
        if (entity.sort === 'other' || entity.sort === 'component') notCountable('export');
        const said = reader.u8() === 0 ? entity : readExternType(reader, space);
        space.add(said);
        exports.set(name, said);
      });
      break;
    case SECTION.start:
      unsupported('a start function of the component');
      break;
    case SECTION.value:
      unsupported('values at the level of the component');
      break;
    default:
      malformed(`a section of the component with the unknown id ${id}`);
  }
  reader.finish('a section of the component');
}

function forEach(reader: Reader, read: () => void): void {
  for (let count = reader.u32(); count > 0; count--) read();
}

/** @returns what the sort and index stand for. */
function readSortIndex(reader: Reader, space: Space): Entity {
  const sort = SORTS[reader.u8()];
  if (sort === 'core') reader.u8();
  const index = reader.u32();
  switch (sort) {
    case 'func':
      return space.funcs[index] ?? malformed(`the component uses a function that it does not have (${index})`);
    case 'type':
      return space.type(index);
    case 'instance':
      return space.instances[index] ?? malformed(`the component uses an instance that it does not have (${index})`);
    case 'component':
      return space.components[index] ?? malformed(`the component uses a component that it does not have (${index})`);
    case 'core':
      return { sort: 'other' };
    default:
      return unsupported(`an index of an unknown sort at byte ${reader.at}`);
  }
}

/** What an instance is made of: a definition, a component or core module, or exports that are put together. */
const INSTANCE = { ofDefinition: 0, ofExports: 1 } as const;

/** What an instance makes is counted by what is defined here: nothing that could be a component may come from elsewhere. */
function notCountable(place: 'import' | 'export'): never {
  unsupported(`a component or core module as an ${place}`);
}

function readCoreInstance(reader: Reader, space: Space, makes: Instantiations): void {
  const kind = reader.u8();
  if (kind === INSTANCE.ofDefinition) {
    const index = reader.u32();
    makes.addModule(
      space.coreModules[index] ?? malformed(`the component uses a core module that it does not have (${index})`),
    );
  } else if (kind !== INSTANCE.ofExports) malformed(`an instance of the unknown kind ${kind}`);
  forEach(reader, () => {
    reader.name();
    reader.u8();
    reader.u32();
  });
}

function readInstance(reader: Reader, space: Space, makes: Instantiations): Entity {
  const kind = reader.u8();
  if (kind === INSTANCE.ofDefinition) {
    const component = space.components[reader.u32()];
    forEach(reader, () => {
      reader.name();
      readSortIndex(reader, space);
    });
    if (component?.sort !== 'component' || component.makes === undefined)
      return malformed('an instance of a component that is not there');
    makes.addInstance(component.makes);
    return { sort: 'instance', exports: component.exports };
  }
  if (kind !== INSTANCE.ofExports) malformed(`an instance of the unknown kind ${kind}`);
  makes.addInstance();
  const exports = new Map<string, Entity>();
  forEach(reader, () => {
    const name = readExternName(reader);
    exports.set(name, readSortIndex(reader, space));
  });
  return { sort: 'instance', exports };
}

const CANONICAL = { lift: 0x00, lower: 0x01, resourceNew: 0x02, resourceDrop: 0x03, resourceRep: 0x04 } as const;
/** Options up to `post-return` belong to the first release; `async` and `callback` make tasks that outlive a call. */
const LAST_PLAIN_OPTION = 5;
const FIRST_OPTION_WITH_INDEX = 3;

// What a component does beyond lifting, lowering and resources is asynchronous: tasks, streams, futures, threads. jco would
// keep such a task after the call, and with it state.
function readCanonicalFunction(reader: Reader, space: Space): void {
  const at = reader.at;
  const kind = reader.u8();
  switch (kind) {
    case CANONICAL.lift:
      if (reader.u8() !== 0) malformed(`a lifted function of an unknown form at byte ${at}`);
      reader.u32();
      readOptions(reader);
      space.add(space.type(reader.u32()));
      break;
    case CANONICAL.lower:
      if (reader.u8() !== 0) malformed(`a lowered function of an unknown form at byte ${at}`);
      reader.u32();
      readOptions(reader);
      break;
    case CANONICAL.resourceNew:
    case CANONICAL.resourceDrop:
    case CANONICAL.resourceRep:
      reader.u32();
      break;
    default:
      unsupported(`a built-in of asynchronous components (canonical function 0x${kind.toString(16)}) at byte ${at}`);
  }
}

function readOptions(reader: Reader): void {
  forEach(reader, () => {
    const option = reader.u8();
    if (option > LAST_PLAIN_OPTION)
      unsupported(`an option of asynchronous components (${option}) at byte ${reader.at}`);
    if (option >= FIRST_OPTION_WITH_INDEX) reader.u32();
  });
}
