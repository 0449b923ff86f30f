// Every piece of state that glue can keep between two calls: variables of `instantiate` and of its generator that are
// written after the beginning, what containers among them hold, and static members of classes. Each is classified by the
// form in which it is declared; a form that is not known is an obstacle, named, and never passed over.
import type { AnyNode, ClassDeclaration, ClassExpression, Expression, VariableDeclarator } from 'acorn';
import { refuseHiddenState } from './factories.ts';
import { kindOf, nameOf, type PieceKind, unknown } from './forms.ts';
import { obstacle } from './obstacle.ts';
import { childrenOf, declaredNames, isFunction, patternNames } from './scopes.ts';
import { type Glue, isSame } from './shape.ts';

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
  // A decoder that is told so keeps the bytes of half a character.
  if (/\bstream\s*:/.test(glue.source)) obstacle('the glue decodes text in pieces');
  const pieces: Piece[] = [];
  const frozen: string[] = [];
  const sealed: string[] = [];
  const written = writesAfterTheBeginning(glue);
  const names = [...glue.outer, ...glue.inner].flatMap(declaredNames);

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
    if (init.type === 'Identifier' && !names.includes(init.name)) unknown(name);
    if (isUnusedRegistry(glue, name, init)) return;
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

/**
 * jco makes a registry of finalisers for each type of resource, and uses those of types that JavaScript gets to hold: these
 * would act on a later call. The others are nowhere mentioned again.
 */
function isUnusedRegistry({ source }: Glue, name: string, init: Expression): boolean {
  if (init.type !== 'CallExpression' || nameOf(init.callee) !== 'finalizationRegistryCreate') return false;
  if (!/^finalizationRegistry\d+$/.test(name)) return false;
  return source.split(new RegExp(`\\b${name}\\b`)).length === 2;
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
