// The outline that glue of the pinned jco has: one function, `instantiate`, and in it a generator that runs once. Glue of
// another outline stops here, before anybody asks what state it keeps.
import {
  type AnyNode,
  type Expression,
  type FunctionDeclaration,
  type FunctionExpression,
  parse,
  type ReturnStatement,
  tokenizer,
} from 'acorn';
import { obstacle } from './obstacle.ts';
import { analyseScopes, type Scopes } from './scopes.ts';

export interface Glue {
  readonly source: string;
  readonly instantiate: FunctionDeclaration;
  /** Statements of `instantiate` before the generator. */
  readonly outer: readonly AnyNode[];
  readonly generator: FunctionExpression;
  /** Statements of the generator before its last, which is `result`. */
  readonly inner: readonly AnyNode[];
  readonly result: ReturnStatement;
  /** Where the statements begin that run the generator. */
  readonly tailStart: number;
  readonly scopes: Scopes;
}

const VERSION = 'latest';

/** What stands around `instantiate`. */
const DIRECTIVE = '"use components";';
const UTIL = 'export const _util = {}';

// It runs the generator: its variables are of no use once the instance is there.
const TAIL = `
  let promise, resolve, reject;
  function normalizeInstantiationError(e) {
    if (typeof WebAssembly.SuspendError === 'function' && e instanceof WebAssembly.SuspendError) {
      return new WebAssembly.RuntimeError('cannot block a synchronous task before returning');
    }
    return e;
  }
  function runNext(value) {
    try {
      let done;
      do {
        ({ value, done } = gen.next(value));
      } while (!(value instanceof Promise) && !done);
      if (done) {
        if (resolve) return resolve(value);
        else return value;
      }
      if (!promise) promise = new Promise((_resolve, _reject) => (resolve = _resolve, reject = _reject));
      value.then(nextVal => done ? resolve() : runNext(nextVal), e => reject(normalizeInstantiationError(e)));
    }
    catch (e) {
      e = normalizeInstantiationError(e);
      if (reject) reject(e);
      else throw e;
    }
  }
  const maybeSyncReturn = runNext(null);
  return promise || maybeSyncReturn;`;

/** @throws Obstacle where the outline is another one. */
export function readGlue(source: string): Glue {
  const program = parse(source, { ecmaVersion: VERSION, sourceType: 'module' });
  const [directive, exported, util, ...more] = program.body.filter(({ type }) => type !== 'EmptyStatement');
  const instantiate = exported?.type === 'ExportNamedDeclaration' ? exported.declaration : undefined;
  if (instantiate?.type !== 'FunctionDeclaration' || instantiate.id.name !== 'instantiate') {
    return obstacle('the second statement of the glue is not its function instantiate');
  }
  if (
    !isSame(source, directive, DIRECTIVE) ||
    (util !== undefined && !isSame(source, util, UTIL) && !isSame(source, util, `${UTIL};`)) ||
    more.length > 0
  ) {
    return obstacle('the glue has statements beside its function instantiate');
  }
  const statements = instantiate.body.body;
  const at = statements.findIndex((statement) => generatorOf(statement) !== undefined);
  const generator = generatorOf(statements[at]);
  if (generator === undefined) return obstacle('the glue has no generator _initGenerator');
  const [first] = statements.slice(at + 1);
  const tailStart = first?.start ?? instantiate.end;
  if (tokens(source.slice(tailStart, instantiate.end - 1)) !== tokens(TAIL)) {
    return obstacle('the generator of the glue is run in another way');
  }
  const inner = generator.body.body.slice(0, -1);
  const result = generator.body.body.at(-1);
  if (result?.type !== 'ReturnStatement') return obstacle('the generator of the glue does not end with a return');
  return {
    source,
    instantiate,
    outer: statements.slice(0, at),
    generator,
    inner,
    result,
    tailStart,
    scopes: analyseScopes(program),
  };
}

/** `let gen = (function* _initGenerator () { … })()` */
function generatorOf(statement: AnyNode | undefined): FunctionExpression | undefined {
  if (statement?.type !== 'VariableDeclaration' || statement.declarations.length !== 1) return undefined;
  const [declarator] = statement.declarations;
  if (declarator?.id.type !== 'Identifier' || declarator.id.name !== 'gen') return undefined;
  const call: Expression | null | undefined = declarator.init;
  if (call?.type !== 'CallExpression' || call.arguments.length > 0) return undefined;
  const { callee } = call;
  return callee.type === 'FunctionExpression' && callee.id?.name === '_initGenerator' ? callee : undefined;
}

/** Whether a statement is, apart from spaces and comments, the given text. */
export function isSame(source: string, node: AnyNode | undefined, text: string): boolean {
  return node !== undefined && tokens(source.slice(node.start, node.end)) === tokens(text);
}

function tokens(text: string): string {
  return [...tokenizer(text, { ecmaVersion: VERSION, sourceType: 'module', allowReturnOutsideFunction: true })]
    .map(({ start, end }) => text.slice(start, end))
    .join(' ');
}
