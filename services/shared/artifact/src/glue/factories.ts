// Closures are made while the glue initialises itself, by functions such as `_lowerFlatRecord(meta)`. What such a closure
// writes to variables of the function that made it would outlive a call, out of reach of everybody: no such function is let
// through.
import type { AnyNode, CallExpression } from 'acorn';
import { obstacle } from './obstacle.ts';
import { childrenOf, type FunctionNode, isFunction } from './scopes.ts';
import type { Glue } from './shape.ts';

/**
 * @returns names of variables that closures are bound to and write to: they must be known to hold state.
 * @throws Obstacle where a closure that is made at the beginning could keep state of its own.
 */
export function refuseHiddenState(glue: Glue): readonly string[] {
  const declared = declaredFunctions(glue);
  const bound: string[] = [];
  const called = new Set<FunctionNode>();
  const pending = [...glue.outer, ...glue.inner].flatMap((statement) => callsIn(statement));
  for (let use = pending.pop(); use !== undefined; use = pending.pop()) {
    const target = declared.get(use.name);
    if (target === undefined) continue;
    if (use.bound !== undefined && writesToParams(glue, target)) {
      if (use.bound === 'others') obstacle(`${use.name} writes to what it is bound to`);
      bound.push(...use.bound);
    }
    if (called.has(target)) continue;
    called.add(target);
    refuseClosures(glue, target, use.name);
    // What it calls by itself runs then as well, and may make closures in its turn.
    if (use.bound === undefined) pending.push(...callsIn(target.body));
  }
  return bound;
}

interface Use {
  readonly name: string;
  /** It is not called but bound to arguments that live on: to variables of these names, or to something else. */
  readonly bound: readonly string[] | 'others' | undefined;
}

/** Functions that are called or bound when the node is evaluated, not when functions in it are called. */
function callsIn(node: AnyNode): Use[] {
  if (isFunction(node) || node.type === 'ClassDeclaration' || node.type === 'ClassExpression') return [];
  const uses = childrenOf(node).flatMap(callsIn);
  if (node.type === 'CallExpression' || node.type === 'NewExpression') {
    const use = useOf(node.callee, node.arguments);
    if (use !== undefined) uses.push(use);
  }
  return uses;
}

function useOf(callee: CallExpression['callee'], args: CallExpression['arguments']): Use | undefined {
  if (callee.type === 'Identifier') return { name: callee.name, bound: undefined };
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'Identifier') return undefined;
  if (callee.property.type !== 'Identifier' || callee.property.name !== 'bind') return undefined;
  const kept = args.slice(1).filter(({ type }) => type !== 'Literal');
  const names = kept.flatMap((arg) => (arg.type === 'Identifier' ? [arg.name] : []));
  return { name: callee.object.name, bound: names.length === kept.length ? names : 'others' };
}

function declaredFunctions({ outer, inner }: Glue): Map<string, FunctionNode> {
  const functions = new Map<string, FunctionNode>();
  for (const statement of [...outer, ...inner]) {
    if (statement.type === 'FunctionDeclaration' && statement.id) functions.set(statement.id.name, statement);
    if (statement.type !== 'VariableDeclaration') continue;
    for (const { id, init } of statement.declarations) {
      if (id.type === 'Identifier' && init && isFunction(init)) functions.set(id.name, init);
    }
  }
  return functions;
}

/** Whether it writes to members of its own parameters. */
function writesToParams({ scopes }: Glue, target: FunctionNode): boolean {
  return scopes.writes.some(
    ({ root, member, scope }) => member && root !== undefined && scope?.owner === target && scope.params.has(root),
  );
}

function refuseClosures({ scopes }: Glue, target: FunctionNode, name: string): void {
  for (const { root, scope, from } of scopes.writes) {
    if (scope?.owner === target && from !== target) obstacle(`a closure that ${name} makes keeps ${root}`);
  }
}
