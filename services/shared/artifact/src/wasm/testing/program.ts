// Random programs: modules that are valid by construction, and end because they count their loops and calls.
import fc from 'fast-check';
import { CHUNK_BYTES } from '../bulk-helpers.ts';
import {
  activeData,
  activeElements,
  type Bytes,
  body,
  concat,
  coreModule,
  exported,
  F64,
  FUNCREF,
  functionType,
  global,
  I32,
  I64,
  imported,
  limits,
  passiveData,
  V128,
} from './core-module.ts';
import { bulkOperation, type Code, f64, i32, i32Const, i64, store, v128 } from './expression.ts';
import {
  FUEL,
  FUNCTION_TYPE,
  FUNCTIONS,
  GLOBALS,
  LOCALS,
  LOG,
  LOG_TYPE,
  MAX_PAGES,
  MEMORY_PAGES,
  OTHER,
  OTHER_TYPE,
} from './program-frame.ts';

/** Labels are numbers that are cut to how many blocks there are around. */
type Statement =
  | { readonly kind: 'plain'; readonly code: number[] }
  | { readonly kind: 'block'; readonly statements: Statement[] }
  | { readonly kind: 'loop'; readonly statements: Statement[]; readonly again: number[] }
  | { readonly kind: 'if'; readonly condition: number[]; readonly yes: Statement[]; readonly no: Statement[] }
  | { readonly kind: 'br'; readonly label: number }
  | { readonly kind: 'br_if'; readonly condition: number[]; readonly label: number }
  | { readonly kind: 'br_table'; readonly selector: number[]; readonly labels: number[] };

const label = fc.nat(5);
const plain = (code: Code) => fc.record({ kind: fc.constant('plain' as const), code });
const set = (value: Code, opcode: number, indexes: readonly number[]) =>
  plain(fc.tuple(value, fc.constantFrom(...indexes)).map(([code, index]) => [...code, opcode, index]));
const after = (code: Code, ...bytes: number[]) => plain(code.map((before) => [...before, ...bytes]));
const operands = fc.tuple(i32, i64, f64).map((codes) => codes.flat());

const { statements } = fc.letrec<{ statement: Statement; statements: Statement[] }>((tie) => ({
  statements: fc.array(tie('statement'), { maxLength: 5, depthIdentifier: 'statement' }),
  statement: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'statement' },
    set(i32, 0x21, LOCALS.i32),
    set(i64, 0x21, LOCALS.i64),
    set(f64, 0x21, LOCALS.f64),
    set(v128, 0x21, LOCALS.v128),
    set(i32, 0x24, [GLOBALS.i32]),
    set(i64, 0x24, [GLOBALS.i64]),
    set(f64, 0x24, [GLOBALS.f64]),
    after(i32, 0x10, LOG),
    plain(store),
    plain(bulkOperation),
    after(operands, 0x10, FUNCTIONS[1], 0x1a, 0x1a),
    after(
      fc.tuple(i32, i64).map((codes) => codes.flat()),
      0x0f,
    ),
    // Tail calls, direct and through the table.
    plain(fc.tuple(operands, fc.constantFrom(...FUNCTIONS)).map(([code, index]) => [...code, 0x12, index])),
    plain(fc.tuple(operands, fc.nat(9)).map(([code, index]) => [...code, ...i32Const(index), 0x13, FUNCTION_TYPE, 0])),
    fc.record({ kind: fc.constant('br' as const), label }),
    fc.record({ kind: fc.constant('br_if' as const), condition: i32, label }),
    fc.record({
      kind: fc.constant('br_table' as const),
      selector: i32,
      labels: fc.array(label, { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant('block' as const), statements: tie('statements') }),
    fc.record({ kind: fc.constant('loop' as const), statements: tie('statements'), again: i32 }),
    fc.record({
      kind: fc.constant('if' as const),
      condition: i32,
      yes: tie('statements'),
      no: tie('statements'),
    }),
  ),
}));

/** Traps by a division when the fuel is used up: no program traps by `unreachable`, which is how it is interrupted. */
const BURN: Bytes = [
  ...[0x23, GLOBALS.fuel, 0x45, 0x04, 0x40, ...i32Const(1), ...i32Const(0), 0x6e, 0x1a, 0x0b],
  ...[0x23, GLOBALS.fuel, ...i32Const(1), 0x6b, 0x24, GLOBALS.fuel],
];

function assemble(statements: readonly Statement[], depth: number): number[] {
  return statements.flatMap((statement) => assembleOne(statement, depth));
}

function assembleOne(statement: Statement, depth: number): number[] {
  switch (statement.kind) {
    case 'plain':
      return statement.code;
    case 'block':
      return [0x02, 0x40, ...assemble(statement.statements, depth + 1), 0x0b];
    case 'loop':
      return [0x03, 0x40, ...BURN, ...assemble(statement.statements, depth + 1), ...statement.again, 0x0d, 0x00, 0x0b];
    case 'if':
      return [
        ...[...statement.condition, 0x04, 0x40, ...assemble(statement.yes, depth + 1)],
        ...[0x05, ...assemble(statement.no, depth + 1), 0x0b],
      ];
  }
  // Around all is the function, which is left with values.
  if (depth === 0) return [0x01];
  switch (statement.kind) {
    case 'br':
      return [0x0c, statement.label % depth];
    case 'br_if':
      return [...statement.condition, 0x0d, statement.label % depth];
    case 'br_table': {
      const labels = statement.labels.map((each) => each % depth);
      return [...statement.selector, 0x0e, labels.length - 1, ...labels];
    }
  }
}

const functionBody = fc.tuple(statements, i32, i64).map(([inner, first, second]) =>
  body(
    [
      [2, I32],
      [1, I64],
      [1, F64],
      [1, V128],
    ],
    [...BURN, ...assemble(inner, 0), ...first, ...second],
  ),
);

const LARGE_SEGMENT = Uint8Array.from({ length: CHUNK_BYTES + 77 }, (_, index) => index % 249);

export const MUTABLE_GLOBALS: readonly number[] = [GLOBALS.fuel, GLOBALS.i32, GLOBALS.i64, GLOBALS.f64];

/**
 * Exports `run`, of {@link FUNCTION_TYPE}, its memory and its mutable globals.
 * @param options.largeSegment whether a data segment is larger than a chunk of a bulk operation.
 */
export function program({ largeSegment = true } = {}): fc.Arbitrary<Uint8Array> {
  const bodies = fc.tuple(functionBody, functionBody, functionBody, functionBody);
  return fc.record({ bodies, bulkType: fc.boolean() }).map(({ bodies, bulkType }) =>
    coreModule({
      types: [
        functionType([I32, I64, F64], [I32, I64]),
        functionType([I32, I32], [I32, I32]),
        functionType([], []),
        functionType([I32], []),
        // The one that the functions of the patch have: it is used if it is there, and added if not.
        ...(bulkType ? [functionType([I32, I32, I32], [])] : []),
      ],
      imports: [imported('env', 'log', 0, [LOG_TYPE])],
      functions: [...FUNCTIONS.map(() => FUNCTION_TYPE), OTHER_TYPE],
      tables: [concat([FUNCREF], limits(8))],
      memories: [limits(MEMORY_PAGES, MAX_PAGES)],
      globals: [
        global(I32, true, i32Const(FUEL)),
        global(I32, false, i32Const(1234)),
        global(I32, true, i32Const(-5)),
        global(I64, true, [0x42, 0x07]),
        global(F64, true, [0x44, ...new Uint8Array(Float64Array.of(2.5).buffer)]),
      ],
      exports: [
        exported('run', 'function', FUNCTIONS[0]),
        exported('memory', 'memory', 0),
        ...MUTABLE_GLOBALS.map((index) => exported(`g${index}`, 'global', index)),
      ],
      elements: [activeElements([...FUNCTIONS, OTHER])],
      dataCount: 3,
      code: [...bodies, body([], [])],
      data: [
        passiveData(largeSegment ? LARGE_SEGMENT : [9, 8, 7]),
        passiveData([1, 2, 3, 4, 5]),
        activeData(i32Const(1_000), new TextEncoder().encode('a text in memory')),
      ],
    }),
  );
}
