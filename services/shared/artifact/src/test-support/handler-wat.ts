/**
 * Text of a core module that answers 200 without headers or a body.
 * @param parts.more functions, globals, segments and whatever else; parts.before is run by the handler.
 */
export function handlerWat({ imports = '', more = '', before = '' } = {}): string {
  return `(module ${imports}
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $top (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -8)))
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (local.get 3))))
    (func (export "handler") (param i32) (result i32)
      ${before}
      (i32.store16 (i32.const 16) (i32.const 200))
      (i64.store (i32.const 20) (i64.const 0))
      (i64.store (i32.const 28) (i64.const 0))
      (i32.const 16))
    ${more})`;
}
