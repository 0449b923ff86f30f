// Who writes to which variable: lexical scopes of a module, and every assignment in it with the scope that declares its
// target. Only what jco's glue needs: strict mode, no `with`, no `eval`.
import type { AnyNode } from 'acorn';

export type FunctionNode = Extract<
  AnyNode,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
>;

export interface Scope {
  readonly names: ReadonlySet<string>;
  /** Names of the function's parameters, where this is the scope of a function. */
  readonly params: ReadonlySet<string>;
  /** The innermost function around it; undefined: the module. */
  readonly owner: FunctionNode | undefined;
  readonly parent: Scope | undefined;
}

/** An assignment, increment or deletion. */
export interface Write {
  /** The variable that is written, or whose member is; undefined: what is written to is not reached from a variable. */
  readonly root: string | undefined;
  readonly member: boolean;
  /** The scope that declares the root; undefined: a global, or no root. */
  readonly scope: Scope | undefined;
  /** The innermost function around the assignment. */
  readonly from: FunctionNode | undefined;
  /** Where it stands in the source. */
  readonly at: number;
}

export interface Scopes {
  readonly writes: readonly Write[];
  /** The function around a function. */
  readonly around: ReadonlyMap<FunctionNode, FunctionNode | undefined>;
}

export function isFunction(node: AnyNode): node is FunctionNode {
  return (
    node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression'
  );
}

export function childrenOf(node: AnyNode): AnyNode[] {
  return Object.values(node).flatMap((value: unknown) => (Array.isArray(value) ? value : [value]).filter(isNode));
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

export function analyseScopes(program: AnyNode): Scopes {
  const writes: Write[] = [];
  const around = new Map<FunctionNode, FunctionNode | undefined>();

  const visit = (node: AnyNode, outer: Scope): void => {
    const scope = scopeOf(node, outer) ?? outer;
    if (isFunction(node)) around.set(node, outer.owner);
    for (const write of writesOf(node)) {
      writes.push({ ...write, scope: resolve(write.root, scope), from: scope.owner, at: node.start });
    }
    for (const child of childrenOf(node)) visit(child, scope);
  };
  const top: Scope = { names: namesOf(program), params: new Set(), owner: undefined, parent: undefined };
  for (const child of childrenOf(program)) visit(child, top);
  return { writes, around };
}

function resolve(name: string | undefined, from: Scope): Scope | undefined {
  if (name === undefined) return undefined;
  for (let scope: Scope | undefined = from; scope !== undefined; scope = scope.parent) {
    if (scope.names.has(name)) return scope;
  }
  return undefined;
}

function scopeOf(node: AnyNode, parent: Scope): Scope | undefined {
  if (isFunction(node)) {
    const params = new Set(node.params.flatMap(patternNames));
    const own = node.type === 'FunctionExpression' && node.id ? [node.id.name] : [];
    return {
      names: new Set([...own, ...params, ...namesOf(node.body), ...hoisted(node.body)]),
      params,
      owner: node,
      parent,
    };
  }
  switch (node.type) {
    case 'BlockStatement':
    case 'SwitchStatement':
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'StaticBlock':
      return { names: namesOf(node), params: NONE, owner: parent.owner, parent };
    case 'CatchClause':
      return { names: new Set(node.param ? patternNames(node.param) : []), params: NONE, owner: parent.owner, parent };
    case 'ClassExpression':
      return { names: new Set(node.id ? [node.id.name] : []), params: NONE, owner: parent.owner, parent };
    default:
      return undefined;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** What the statements right inside a node declare. */
function namesOf(node: AnyNode): Set<string> {
  const statements = childrenOf(node).flatMap((child) => (child.type === 'SwitchCase' ? child.consequent : [child]));
  return new Set(statements.flatMap(declaredNames));
}

export function declaredNames(statement: AnyNode): string[] {
  switch (statement.type) {
    case 'VariableDeclaration':
      return statement.declarations.flatMap((declarator) => patternNames(declarator.id));
    case 'FunctionDeclaration':
    case 'ClassDeclaration':
      return statement.id ? [statement.id.name] : [];
    case 'ExportNamedDeclaration':
      return statement.declaration ? declaredNames(statement.declaration) : [];
    default:
      return [];
  }
}

/** Variables declared with `var` anywhere in a function. */
function hoisted(node: AnyNode): string[] {
  if (isFunction(node)) return [];
  const own = node.type === 'VariableDeclaration' && node.kind === 'var' ? declaredNames(node) : [];
  return [...own, ...childrenOf(node).flatMap(hoisted)];
}

export function patternNames(pattern: AnyNode): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        patternNames(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element === null ? [] : patternNames(element)));
    case 'AssignmentPattern':
      return patternNames(pattern.left);
    case 'RestElement':
      return patternNames(pattern.argument);
    default:
      return [];
  }
}

type Target = Pick<Write, 'root' | 'member'>;

function writesOf(node: AnyNode): Target[] {
  switch (node.type) {
    case 'AssignmentExpression':
      return targets(node.left);
    case 'UpdateExpression':
      return targets(node.argument);
    case 'UnaryExpression':
      return node.operator === 'delete' ? targets(node.argument) : [];
    case 'ForInStatement':
    case 'ForOfStatement':
      return node.left.type === 'VariableDeclaration' ? [] : targets(node.left);
    default:
      return [];
  }
}

function targets(target: AnyNode): Target[] {
  switch (target.type) {
    case 'Identifier':
      return [{ root: target.name, member: false }];
    case 'MemberExpression':
      return [{ root: rootOf(target), member: true }];
    case 'ObjectPattern':
      return target.properties.flatMap((property) =>
        targets(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return target.elements.flatMap((element) => (element === null ? [] : targets(element)));
    case 'AssignmentPattern':
      return targets(target.left);
    case 'RestElement':
      return targets(target.argument);
    default:
      return [{ root: undefined, member: true }];
  }
}

/** `a` of `a.b[c].d`; `this` of `this.x`. */
function rootOf(node: AnyNode): string | undefined {
  if (node.type === 'MemberExpression') return rootOf(node.object);
  if (node.type === 'ThisExpression') return 'this';
  return node.type === 'Identifier' ? node.name : undefined;
}
