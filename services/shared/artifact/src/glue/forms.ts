// What an initialiser makes, by its form.
import type { AnyNode, Expression } from 'acorn';
import { obstacle } from './obstacle.ts';

export type PieceKind =
  /** A primitive, or a reference to something that does not change. */
  | 'value'
  | 'list'
  | 'map'
  | 'set'
  | 'record'
  /** A WebAssembly.Global, or nothing where there is none. */
  | 'global'
  /** Bytes that are written before they are read. */
  | 'scratch'
  /** jco's table of resource handles: a list of numbers that carries the set of all that it ever held. */
  | 'handles'
  /** jco's map from handles to the host's objects: what is left in it is an open handle. */
  | 'captures';

/** Members of globals that do not change. */
const FIXED = /^(?:WebAssembly\.RuntimeError|Object\.prototype\.hasOwnProperty|Symbol\.dispose)$/;

export type Kind = PieceKind | 'function' | 'none';

/** What an initialiser makes. `none`: something that cannot change, or not from here. */
export function kindOf(name: string, init: Expression | undefined): Kind {
  switch (init?.type) {
    case 'Literal':
      // A regular expression remembers where it has come to.
      return init.regex ? unknown(name) : 'value';
    case undefined:
    case 'UnaryExpression':
    case 'BinaryExpression':
    case 'TemplateLiteral':
      return 'value';
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return 'function';
    case 'ArrayExpression':
      return 'list';
    case 'ObjectExpression':
      return 'record';
    case 'Identifier':
      // Another name for something of the glue, which is classified itself.
      return 'none';
    case 'MemberExpression':
      return FIXED.test(nameOf(init)) ? 'none' : unknown(name);
    case 'LogicalExpression':
      return kindOf(name, init.left) === 'none' && kindOf(name, init.right) === 'none' ? 'none' : unknown(name);
    case 'CallExpression':
      return kindOfCall(name, init.callee);
    case 'NewExpression':
      return kindOfNew(name, init.callee, init.arguments);
    case 'ConditionalExpression':
      return kindOfConditional(name, kindOf(name, init.consequent), kindOf(name, init.alternate));
    default:
      return unknown(name);
  }
}

export function unknown(name: string): never {
  return obstacle(`${name} of the glue is initialised in an unknown way`);
}

/** Functions whose results hold nothing that changes: a name, a compiled module, the export of a tiny core module. */
const PLAIN_RESULT = /^(?:Symbol|getCoreModule|_conditionalSuspending\w{1,32})$/;

function kindOfCall(name: string, callee: AnyNode): Kind {
  if (callee.type === 'Identifier') return PLAIN_RESULT.test(callee.name) ? 'none' : unknown(name);
  if (nameOf(callee) === 'Symbol.for') return 'none';
  // What a function is bound to is looked at in factories.ts.
  return /^\w+\.bind$/.test(nameOf(callee)) ? 'none' : unknown(name);
}

function kindOfNew(name: string, callee: AnyNode, args: readonly AnyNode[]): Kind {
  switch (nameOf(callee)) {
    case 'Map':
      return 'map';
    case 'Set':
      return 'set';
    case 'WebAssembly.Global':
    case 'globalThis.WebAssembly.Global':
      return 'global';
    case 'TextDecoder':
    case 'TextEncoder':
    case 'WebAssembly.Module':
    case 'WebAssembly.Suspending':
      return 'none';
    case 'DataView': {
      const [buffer, ...more] = args;
      if (buffer?.type !== 'NewExpression' || nameOf(buffer.callee) !== 'ArrayBuffer' || more.length > 0) break;
      return buffer.arguments.length === 0 ? 'value' : 'scratch';
    }
  }
  return unknown(name);
}

function kindOfConditional(name: string, one: Kind, other: Kind): Kind {
  if (one === other) return one;
  if (one === 'global' && other === 'value') return 'global';
  return unknown(name);
}

/** `a.b.c` of plain member expressions. */
export function nameOf(node: AnyNode): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier') return '';
  return `${nameOf(node.object)}.${node.property.name}`;
}
