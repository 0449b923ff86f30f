import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { checkLegacy } from './check-legacy.ts';
import { readCoreModule } from './wasm/read-core-module.ts';
import { Reader } from './wasm/reader.ts';

const ALLOC = '(func (export "alloc") (param i32) (result i32) i32.const 0)';
const HANDLER = '(func (export "handler") (param i32 i32 i32) (result i32) i32.const 0)';
const MEMORY = '(memory (export "memory") 1)';
const WHOLE = `${MEMORY} ${ALLOC} ${HANDLER}`;

async function check(wat: string) {
  const bytes = await parse(`(module ${wat})`);
  return checkLegacy(readCoreModule(new Reader(bytes)), { name: 'alga:extension', version: '1.0.0' });
}

const importing = (name: string, type: string) => `(import ${name} (func ${type}))`;
const LOG_INFO = importing('"alga" "log_info"', '(param i32 i32)');
const LOG_ERROR = importing('"alga" "log_error"', '(param i32 i32)');
const FETCH = importing('"alga.http" "fetch"', '(param i32 i32 i32) (result i32)');
const ABORT = importing('"env" "abort"', '(param i32 i32 i32 i32)');

describe('a legacy module', () => {
  it.each([
    ['nothing', '', [], []],
    ['logging', LOG_INFO, ['alga:extension/logging'], ['logging.log-info']],
    [
      'two functions of one interface',
      LOG_INFO + LOG_ERROR,
      ['alga:extension/logging'],
      ['logging.log-info', 'logging.log-error'],
    ],
    ['fetch', FETCH, ['alga:extension/http'], ['http.fetch']],
    ['abort', ABORT, [], []],
    [
      'all of it',
      ABORT + LOG_INFO + FETCH,
      ['alga:extension/http', 'alga:extension/logging'],
      ['logging.log-info', 'http.fetch'],
    ],
  ])('that imports %s asks for what the same component would ask for', async (_, wat, imports, names) => {
    const functions = names.map((name) => ({ interface: name.split('.')[0], function: name.split('.')[1] }));
    expect(await check(wat + WHOLE)).toEqual({ ok: true, imports: expect.arrayContaining(imports), functions });
  });

  it('may export its functions by an index that counts the imported ones, or an imported one itself', async () => {
    const reexported = `${FETCH}${MEMORY}${ALLOC}(export "handler" (func 0))`;
    expect(await check(reexported)).toMatchObject({ ok: true });
    const wrong = `${LOG_INFO}${MEMORY}${ALLOC}(export "handler" (func 0))`;
    expect(await check(wrong)).toMatchObject({ ok: false });
  });

  it.each([
    ['no memory', ALLOC + HANDLER, 'component_invalid', 'does not export a memory of its own'],
    [
      'another module’s memory',
      `(import "env" "memory" (memory 1)) (export "memory" (memory 0)) ${ALLOC}${HANDLER}`,
      'import_refused',
      'imports env memory',
    ],
    [
      'a function called memory',
      `(memory 1) (func (export "memory")) ${ALLOC}${HANDLER}`,
      'component_invalid',
      'a memory of its own',
    ],
    ['no alloc', MEMORY + HANDLER, 'component_invalid', 'does not export alloc'],
    ['no handler', MEMORY + ALLOC, 'no_handler', 'does not export handler'],
    [
      'a global called alloc',
      `(global (export "alloc") i32 (i32.const 0)) ${MEMORY}${HANDLER}`,
      'component_invalid',
      'exports alloc other than as (i32) -> i32',
    ],
    [
      'an alloc for 64-bit lengths',
      `(func (export "alloc") (param i64) (result i32) i32.const 0) ${MEMORY}${HANDLER}`,
      'component_invalid',
      'exports alloc other than as (i32) -> i32',
    ],
    [
      'a handler without a result',
      `(func (export "handler") (param i32 i32 i32)) ${MEMORY}${ALLOC}`,
      'no_handler',
      'exports handler other than as (i32, i32, i32) -> i32',
    ],
    [
      'a handler with two results',
      `(func (export "handler") (param i32 i32 i32) (result i32 i32) i32.const 0 i32.const 0) ${MEMORY}${ALLOC}`,
      'no_handler',
      'exports handler other than',
    ],
  ])('with %s is refused', async (_, wat, code, reason) => {
    expect(await check(wat)).toMatchObject({ ok: false, code, message: expect.stringContaining(reason) });
  });

  it.each([
    ['"wasi_snapshot_preview1" "fd_write"', '(param i32 i32 i32 i32) (result i32)'],
    ['"alga" "secrets_get"', '(param i32 i32 i32) (result i32)'],
    ['"alga" "fetch"', '(param i32 i32 i32) (result i32)'],
    ['"env" "seed"', '(result f64)'],
    ['"" ""', ''],
    ['"__proto__" "constructor"', ''],
  ])('that imports %s is told that there is no such thing', async (name, type) => {
    expect(await check(importing(name, type) + WHOLE)).toEqual({
      ok: false,
      code: 'import_refused',
      message: expect.stringMatching(/^the core module imports .*, which the legacy ABI does not have$/),
    });
  });

  it('never has an unusual name of its own repeated', async () => {
    const refusal = await check(importing(`"two words" "${'x'.repeat(100)}"`, '') + WHOLE);
    const unusual = 'something with an unusual name';
    expect(refusal).toMatchObject({
      message: `the core module imports ${unusual} ${unusual}, which the legacy ABI does not have`,
    });
  });

  it.each([
    ['"alga" "log_info"', '(param i32)', '(i32, i32) -> nothing'],
    ['"alga" "log_error"', '(param i32 i64)', '(i32, i32) -> nothing'],
    ['"alga.http" "fetch"', '(param i32 i32 i32)', '(i32, i32, i32) -> i32'],
    ['"env" "abort"', '(param i32 i32 i32 i32) (result i32)', '(i32, i32, i32, i32) -> nothing'],
  ])('that imports %s with another signature is refused with the right one', async (name, type, right) => {
    expect(await check(importing(name, type) + WHOLE)).toEqual({
      ok: false,
      code: 'import_refused',
      message: expect.stringContaining(`other than as ${right}`),
    });
  });

  it('that imports a global under the name of a function is refused', async () => {
    expect(await check(`(import "alga" "log_info" (global i32)) ${WHOLE}`)).toMatchObject({ ok: false });
  });
});
