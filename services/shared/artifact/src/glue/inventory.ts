// Every piece of state that glue can keep between two calls: variables of `instantiate` and of its generator that are
// written after the beginning, what containers among them hold, and static members of classes. Each is classified by the
// form in which it is declared; a form that is not known is an obstacle, named, and never passed over.
import type { AnyNode, ClassDeclaration, ClassExpression, Expression, VariableDeclarator } from 'acorn';
import { refuseHiddenState } from './factories.ts';
import { obstacle } from './obstacle.ts';
import { childrenOf, declaredNames, isFunction, patternNames } from './scopes.ts';
import { type Glue, isSame } from './shape.ts';

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

export interface Piece {
  readonly kind: PieceKind;
  /** How the glue refers to it: `NAME` or `Class.NAME`. */
  readonly name: string;
}

export interface Inventory {
  readonly pieces: readonly Piece[];
  /** Functions, constants and classes that nothing may be added to from then on. */
  readonly frozen: readonly string[];
  readonly sealed: readonly string[];
}

const CAPTURES = /^captureTable\d+$/;

/** @throws Obstacle */
export function takeInventory(glue: Glue): Inventory {
  const bound = refuseHiddenState(glue);
  const pieces: Piece[] = [];
  const frozen: string[] = [];
  const sealed: string[] = [];
  const written = writesAfterTheBeginning(glue);

  for (const statement of [...glue.outer, ...glue.inner]) {
    switch (statement.type) {
      case 'FunctionDeclaration':
        frozen.push(statement.id?.name ?? obstacle('a function of the glue has no name'));
        break;
      case 'ClassDeclaration':
        addClass(statement);
        break;
      case 'VariableDeclaration':
        if (statement.kind === 'var') obstacle('the glue has a variable declared with var');
        for (const declarator of statement.declarations) addVariable(declarator);
        break;
      case 'IfStatement':
        if (!isKnownCheck(glue, statement)) obstacle('the glue has an if statement of an unknown form');
        break;
      case 'ExpressionStatement':
      case 'TryStatement':
      case 'EmptyStatement':
        // They run once, before the state is saved.
        break;
      default:
        obstacle(`the glue has a statement of an unknown form: ${statement.type}`);
    }
  }
  const names = [...glue.outer, ...glue.inner].flatMap(declaredNames);
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled !== undefined) obstacle(`the glue declares ${doubled} twice, and one hides the other`);
  const known = new Set([...pieces.map(({ name }) => name.split('.')[0] ?? ''), ...sealed]);
  for (const root of [...written.members, ...bound]) {
    if (!known.has(root)) obstacle(`the glue writes to a member of ${root}, which is not known to hold state`);
  }
  return { pieces, frozen, sealed };

  function addVariable({ id, init }: VariableDeclarator): void {
    if (id.type !== 'Identifier') {
      for (const name of patternNames(id)) {
        if (written.variables.has(name)) obstacle(`the glue writes to ${name}, which it takes from an import`);
      }
      if (!isImport(init)) obstacle(`the glue takes something apart that is not an import: ${patternNames(id).join()}`);
      return;
    }
    const { name } = id;
    const variable = written.variables.has(name);
    if (init === null || init === undefined) {
      if (variable) obstacle(`the glue writes to ${name}, whose form is not known`);
      return;
    }
    const kind = name.startsWith('handleTable') ? handlesKind(name, init) : kindOf(name, init);
    if (kind === 'none' && variable) obstacle(`the glue writes to ${name}, whose form is not known`);
    if (kind === 'function') {
      if (variable) obstacle(`the glue writes to ${name}, a function`);
      frozen.push(name);
    } else if (kind !== 'none' && (kind !== 'value' || variable)) {
      if (variable && kind !== 'value' && kind !== 'list') obstacle(`the glue replaces ${name}, a ${kind}`);
      pieces.push({ kind: kind === 'map' && CAPTURES.test(name) ? 'captures' : kind, name });
    }
  }

  function handlesKind(name: string, init: Expression): PieceKind {
    if (kindOf(name, init) !== 'list') obstacle(`${name} is not a table of handles`);
    const expected = [`${name}._createdReps = new Set();`, `${name}._componentIdx = `];
    const set = glue.inner.filter((statement) => glue.source.startsWith(`${name}.`, statement.start));
    const [created, component] = set;
    if (
      set.length !== 2 ||
      !isSame(glue.source, created, expected[0] ?? '') ||
      !glue.source.startsWith(expected[1] ?? '', component?.start)
    ) {
      obstacle(`${name} is not a table of handles of the known form`);
    }
    return 'handles';
  }

  function addClass(node: Pick<ClassDeclaration, 'superClass' | 'body'> & { id?: { name: string } | null }): void {
    const name = node.id?.name ?? obstacle('a class of the glue has no name');
    if (node.superClass) obstacle(`the class ${name} of the glue extends another`);
    sealed.push(name);
    frozen.push(`${name}.prototype`);
    for (const member of node.body.body) addMember(name, member);
  }

  function addMember(name: string, member: ClassExpression['body']['body'][number]): void {
    if (member.type === 'StaticBlock') obstacle(`the class ${name} of the glue has a static block`);
    if (member.type !== 'PropertyDefinition' || !member.static) return;
    if (member.key.type !== 'Identifier' || member.computed) {
      obstacle(`the class ${name} of the glue has a static member that cannot be read from outside`);
    }
    const full = `${name}.${member.key.name}`;
    const kind = kindOf(full, member.value ?? undefined);
    if (kind === 'value') pieces.push({ kind, name: full });
    else if (kind === 'list' || kind === 'record') frozen.push(full);
    else if (kind !== 'none') obstacle(`the static member ${full} of the glue is of an unknown form`);
  }
}

/** Writes by functions that can run after the instance is there. */
function writesAfterTheBeginning({ scopes, instantiate, generator, tailStart }: Glue) {
  const variables = new Set<string>();
  const members = new Set<string>();
  for (const { root, member, scope, from, at } of scopes.writes) {
    const runsOnce = from === instantiate || from === generator || at >= tailStart;
    const isLocal = scope !== undefined && scope.owner !== instantiate && scope.owner !== generator;
    // A class's methods write to their own object; static methods are left to the sealed class.
    if (runsOnce || isLocal || root === 'this') continue;
    if (root === undefined) obstacle('the glue writes to a member of something that has no name');
    if (scope === undefined) obstacle(`the glue writes to the global ${root}`);
    if (member) members.add(root);
    else variables.add(root);
  }
  return { variables, members };
}

type Kind = PieceKind | 'function' | 'none';

/** What an initialiser makes. `none`: something that cannot change, or not from here. */
function kindOf(name: string, init: Expression | undefined): Kind {
  switch (init?.type) {
    case undefined:
    case 'Literal':
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
    case 'MemberExpression':
      // Another name for a function or an object that is classified itself.
      return 'none';
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

function unknown(name: string): never {
  return obstacle(`${name} of the glue is initialised in an unknown way`);
}

// Functions of the glue itself that are called here are looked at in factories.ts.
function kindOfCall(name: string, callee: AnyNode): Kind {
  if (callee.type === 'Identifier') return 'none';
  const isBind = callee.type === 'MemberExpression' && !callee.computed && callee.property.type === 'Identifier';
  const property = isBind && callee.property.type === 'Identifier' ? callee.property.name : '';
  return property === 'bind' || property === 'for' ? 'none' : unknown(name);
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
function nameOf(node: AnyNode): string {
  if (node.type === 'Identifier') return node.name;
  if (node.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier') return '';
  return `${nameOf(node.object)}.${node.property.name}`;
}

/** `imports['alga:extension/secrets']` */
function isImport(init: Expression | null | undefined): boolean {
  return init?.type === 'MemberExpression' && init.object.type === 'Identifier' && init.object.name === 'imports';
}

const DEFAULT_LOADER =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of the glue.
  'if (!getCoreModule) getCoreModule = (name) => fetchCompile(new URL(`./${name}`, import.meta.url));';

/** The default loader, and checks that a host function is there: they write nothing that lives on. */
function isKnownCheck(glue: Glue, statement: AnyNode): boolean {
  if (isSame(glue.source, statement, DEFAULT_LOADER)) return true;
  if (statement.type !== 'IfStatement' || statement.alternate) return false;
  return statement.test.type === 'BinaryExpression' && endsInThrow(statement.consequent) && !hasFunction(statement);
}

function endsInThrow(node: AnyNode): boolean {
  return node.type === 'BlockStatement' && node.body.at(-1)?.type === 'ThrowStatement';
}

function hasFunction(node: AnyNode): boolean {
  return isFunction(node) || childrenOf(node).some(hasFunction);
}
