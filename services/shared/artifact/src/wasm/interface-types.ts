// The types of a component's imports and exports, as text in the manner of WIT with every named type resolved: two
// functions have the same text exactly where their values have the same form, names of fields and cases included.
import type { Instantiations, NumberedModule } from './instantiations.ts';
import { LIMITS } from './limits.ts';
import type { Reader } from './reader.ts';
import { atMost, malformed, unsupported } from './refused.ts';

/** Longest text of a type: types made of each other twice grow exponentially. The platform's own stay below 1,000. */
const MAX_TYPE_CHARS = 20_000;
/** Text of all types of a component: each is kept (SM: 40,000). */
const MAX_TOTAL_CHARS = 4_000_000;
/** Members of a record, cases of a variant, params of a function (WASI: 37). */
const MAX_MEMBERS = 256;
/** Types of instances and components within each other (all: 2). */
const MAX_NESTING = 8;

/** What an index of a component stands for. */
export type Entity =
  | { readonly sort: 'type' | 'func'; readonly text: string }
  | { readonly sort: 'instance'; readonly exports: ReadonlyMap<string, Entity> }
  /** `makes` undefined: it is only the type of a component. */
  | { readonly sort: 'component'; readonly exports: ReadonlyMap<string, Entity>; readonly makes?: Instantiations }
  | { readonly sort: 'core module'; readonly defined: NumberedModule }
  /** A value, or the type of a core module: nothing is known of it. */
  | { readonly sort: 'other' };

/** The index spaces of a component, or of the type of one. */
export class Space {
  readonly parent: Space | undefined;
  readonly depth: number;
  readonly types: Entity[] = [];
  readonly funcs: Entity[] = [];
  readonly instances: Entity[] = [];
  readonly components: Entity[] = [];
  readonly coreModules: NumberedModule[] = [];
  /** Shared by all spaces of a component. */
  readonly #written: { chars: number; types: number };

  constructor(parent?: Space) {
    this.parent = parent;
    this.depth = parent === undefined ? 0 : parent.depth + 1;
    this.#written = parent === undefined ? { chars: 0, types: 0 } : parent.#written;
  }

  /** Counts a type that is defined against the limit. */
  defined(): void {
    atMost(++this.#written.types, LIMITS.componentTypes, 'types of the component');
  }

  /** Counts the text of a type against the limits. */
  written(text: string): string {
    atMost(text.length, MAX_TYPE_CHARS, 'characters of a type of the component, written out');
    this.#written.chars += text.length;
    atMost(this.#written.chars, MAX_TOTAL_CHARS, 'characters of all types of the component, written out');
    return text;
  }

  /** The next index of its sort. */
  add(entity: Entity): void {
    if (entity.sort === 'type') this.types.push(entity);
    else if (entity.sort === 'func') this.funcs.push(entity);
    else if (entity.sort === 'instance') this.instances.push(entity);
    else if (entity.sort === 'component') this.components.push(entity);
    else if (entity.sort === 'core module') this.coreModules.push(entity.defined);
  }

  type(index: number): Entity {
    return this.types[index] ?? malformed(`the component uses a type that it does not define (${index})`);
  }

  text(index: number): string {
    const entity = this.type(index);
    return 'text' in entity ? entity.text : malformed(`the component uses type ${index} as that of a value`);
  }

  instance(index: number): ReadonlyMap<string, Entity> {
    const entity = this.instances[index];
    if (entity?.sort !== 'instance')
      return malformed(`the component uses an instance that it does not have (${index})`);
    return entity.exports;
  }
}

/** Names of sorts, by their encoding. */
export const SORTS = ['core', 'func', 'value', 'type', 'component', 'instance'] as const;

const PRIMITIVES: Readonly<Record<number, string>> = {
  127: 'bool',
  126: 's8',
  125: 'u8',
  124: 's16',
  123: 'u16',
  122: 's32',
  121: 'u32',
  120: 's64',
  119: 'u64',
  118: 'f32',
  117: 'f64',
  116: 'char',
  115: 'string',
};

/** One definition of a type section, or of the type of an instance or component. */
export function readType(reader: Reader, space: Space): Entity {
  space.defined();
  const at = reader.at;
  const form = reader.u8();
  const primitive = PRIMITIVES[form];
  if (primitive !== undefined) return typeOf(space, primitive);
  const value = () => readValueText(reader, space);
  const labelled = () => `${reader.name()}: ${value()}`;
  switch (form) {
    case 0x72:
      return typeOf(space, `record { ${list(reader, labelled)} }`);
    case 0x71:
      return typeOf(space, `variant { ${list(reader, () => readCase(reader, space))} }`);
    case 0x70:
      return typeOf(space, `list<${value()}>`);
    case 0x6f:
      return typeOf(space, `tuple<${list(reader, value)}>`);
    case 0x6e:
      return typeOf(space, `flags { ${list(reader, () => reader.name())} }`);
    case 0x6d:
      return typeOf(space, `enum { ${list(reader, () => reader.name())} }`);
    case 0x6b:
      return typeOf(space, `option<${value()}>`);
    case 0x6a:
      return typeOf(space, `result<${readOptional(reader, space) ?? '_'}, ${readOptional(reader, space) ?? '_'}>`);
    case 0x69:
      return typeOf(space, `own<${space.text(reader.u32())}>`);
    case 0x68:
      return typeOf(space, `borrow<${space.text(reader.u32())}>`);
    case 0x40:
      return { sort: 'func', text: space.written(`func(${list(reader, labelled)})${readResult(reader, space)}`) };
    case 0x41:
    case 0x42:
      return readDeclarations(reader, space, form === 0x41 ? 'component' : 'instance');
    case 0x3f:
      reader.u8();
      if (readFlag(reader)) reader.u32();
      return typeOf(space, 'resource');
    default:
      return unsupported(`a type of an unknown form (0x${form.toString(16)}) in the component at byte ${at}`);
  }
}

function typeOf(space: Space, text: string): Entity {
  return { sort: 'type', text: space.written(text) };
}

function list(reader: Reader, read: () => string): string {
  const count = reader.u32();
  atMost(count, MAX_MEMBERS, 'members of a type of the component');
  const items: string[] = [];
  let chars = 0;
  for (let index = 0; index < count; index++) {
    const item = read();
    chars += item.length;
    atMost(chars, MAX_TYPE_CHARS, 'characters of a type of the component, written out');
    items.push(item);
  }
  return items.join(', ');
}

function readValueText(reader: Reader, space: Space): string {
  const primitive = PRIMITIVES[reader.bytes[reader.at] ?? 0];
  if (primitive === undefined || reader.done) return space.text(reader.u32());
  reader.u8();
  return primitive;
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  if (flag > 1) malformed(`a flag of the component at byte ${reader.at}`);
  return flag === 1;
}

function readOptional(reader: Reader, space: Space): string | undefined {
  return readFlag(reader) ? readValueText(reader, space) : undefined;
}

function readCase(reader: Reader, space: Space): string {
  const name = reader.name();
  const payload = readOptional(reader, space);
  if (reader.u8() !== 0) unsupported('a case of a variant that refines another');
  return payload === undefined ? name : `${name}(${payload})`;
}

function readResult(reader: Reader, space: Space): string {
  if (!readFlag(reader)) return ` -> ${readValueText(reader, space)}`;
  if (reader.u8() !== 0) unsupported('a function of the component with named results');
  return '';
}

/** The type of an instance or component: declarations in an index space of their own. */
function readDeclarations(reader: Reader, outer: Space, sort: 'instance' | 'component'): Entity {
  const space = new Space(outer);
  atMost(space.depth, MAX_NESTING, 'types of instances within each other');
  const exports = new Map<string, Entity>();
  for (let count = reader.u32(); count > 0; count--) {
    const kind = reader.u8();
    switch (kind) {
      case 0x00:
        unsupported('a core type in the type of an instance');
        break;
      case 0x01:
        space.types.push(readType(reader, space));
        break;
      case 0x02:
        space.add(readAlias(reader, space));
        break;
      case 0x03:
        readExternName(reader);
        space.add(readExternType(reader, space));
        break;
      case 0x04: {
        const name = readExternName(reader);
        const entity = readExternType(reader, space);
        space.add(entity);
        exports.set(name, entity);
        break;
      }
      default:
        malformed(`a declaration of the unknown kind ${kind} at byte ${reader.at}`);
    }
  }
  return { sort, exports };
}

/** The name of an import or export. */
export function readExternName(reader: Reader): string {
  const form = reader.u8();
  if (form > 1) unsupported(`a name of the unknown form ${form} at byte ${reader.at}`);
  return reader.name();
}

/** What an import or export is said to be. */
export function readExternType(reader: Reader, space: Space): Entity {
  const sort = reader.u8();
  switch (sort) {
    case 0x00:
      if (reader.u8() !== 0x11) malformed(`an import of an unknown sort at byte ${reader.at}`);
      reader.u32();
      return { sort: 'other' };
    case 0x01:
    case 0x04:
    case 0x05:
      return space.type(reader.u32());
    case 0x03:
      // Another name for a type, or a resource of which nothing else is known.
      return readFlag(reader) ? typeOf(space, 'resource') : space.type(reader.u32());
    default:
      return unsupported(`an import or export of the sort ${sort} at byte ${reader.at}`);
  }
}

/** In an alias, behind the sort `core`. */
const CORE_MODULE = 0x11;

/** An alias. What it stands for is known where it is taken from an instance or from outside. */
export function readAlias(reader: Reader, space: Space): Entity {
  const sort = SORTS[reader.u8()] ?? malformed(`an alias of an unknown sort at byte ${reader.at}`);
  const isModule = sort === 'core' && reader.u8() === CORE_MODULE;
  const target = reader.u8();
  switch (target) {
    case 0x00: {
      const exports = space.instance(reader.u32());
      // Only what is named where it is defined can be counted.
      if (isModule || sort === 'component') unsupported('a component or core module taken out of an instance');
      return exports.get(reader.name()) ?? malformed('an alias of something that an instance does not export');
    }
    case 0x01:
      reader.u32();
      reader.name();
      return { sort: 'other' };
    case 0x02: {
      let from: Space | undefined = space;
      for (let levels = reader.u32(); levels > 0 && from !== undefined; levels--) from = from.parent;
      const index = reader.u32();
      const found = sort === 'type' ? from?.types[index] : sort === 'component' ? from?.components[index] : undefined;
      const defined = isModule ? from?.coreModules[index] : undefined;
      if (defined !== undefined) return { sort: 'core module', defined };
      if (sort === 'core' && !isModule) return { sort: 'other' };
      return found ?? malformed('an alias of something that is not there');
    }
    default:
      return malformed(`an alias of an unknown form at byte ${reader.at}`);
  }
}
