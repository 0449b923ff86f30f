import { readdirSync, readFileSync } from 'node:fs';
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';
import { transpileComponent } from './transpile.ts';

const limits = { deadlineMs: 30_000, maxMemoryMb: 256 };

/** The smallest component with a handler. `imports` is WAT in front of it. */
const component = (imports = '', exported = 'handler') =>
  parse(`(component ${imports}
    (core module $m (func (export "run")))
    (core instance $i (instantiate $m))
    (func (export "${exported}") (canon lift (core func $i "run"))))`);

const secrets = (name: string) =>
  `(import "${name}" (instance (export "get" (func (param "key" string) (result (result string (error string)))))))`;

/** Counting children takes procfs. */
const onLinux = process.platform === 'linux' ? it : it.skip;

/** Children of this process that still live. */
function children(): string[] {
  return readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== ''),
  );
}

describe('transpileComponent', () => {
  it('makes glue and core modules, and names the imports with their versions', async () => {
    const bytes = await component(`${secrets('alga:extension/secrets@1.0.0')} (import "log" (func))`);
    const transpiled = await transpileComponent(bytes, limits);
    expect(transpiled).toMatchObject({ ok: true, entry: 'component.js' });
    if (!transpiled.ok) return;
    expect(transpiled.imports).toEqual(['alga:extension/secrets@1.0.0', 'log']);
    expect([...transpiled.files.keys()].sort()).toEqual(
      expect.arrayContaining(['component.core.wasm', 'component.js']),
    );
    expect(transpiled.files.get('component.core.wasm')?.subarray(0, 4)).toEqual(new Uint8Array([0, 0x61, 0x73, 0x6d]));
  });

  it.each(['alga:extension/secrets@1.0.0', 'alga:extension/secrets'])(
    'suspends the guest in the functions of %s',
    async (name) => {
      const bytes = await parse(`(component
      (import "${name}" (instance $s (export "list-keys" (func (result (result (list string) (error string)))))))
      (core module $libc (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0))
      (core instance $libc (instantiate $libc))
      (core func $list (canon lower (func $s "list-keys") (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
      (core module $m (import "s" "list" (func $list (param i32))) (func (export "run") i32.const 0 call $list))
      (core instance $i (instantiate $m (with "s" (instance (export "list" (func $list))))))
      (func (export "handler") (canon lift (core func $i "run"))))`);
      const transpiled = await transpileComponent(bytes, limits);
      if (!transpiled.ok) throw new Error(transpiled.message);
      const glue = new TextDecoder().decode(transpiled.files.get(transpiled.entry));
      expect(glue).toContain('new WebAssembly.Suspending(');
      expect(glue).toMatch(/_trampoline\d+\.manuallyAsync = true/);
      expect(glue).not.toMatch(/^import /m);
    },
  );

  it.each([
    ['nothing', new Uint8Array()],
    ['text', new TextEncoder().encode('not wasm at all')],
    ['a core module', Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])],
  ])('calls %s no component, without starting a child', async (_name, bytes) => {
    expect(await transpileComponent(bytes, { ...limits, deadlineMs: 1 })).toMatchObject({
      ok: false,
      code: 'not_a_component',
    });
  });

  it('calls a damaged component invalid, in a message that fits a log line', async () => {
    const bytes = await component();
    const result = await transpileComponent(bytes.subarray(0, bytes.length - 3), limits);
    expect(result).toMatchObject({ ok: false, code: 'component_invalid' });
    expect(!result.ok && result.message).toMatch(/^[\x20-\x7e]{1,400}$/);
  });

  it('wants an exported handler', async () => {
    expect(await transpileComponent(await component('', 'other'), limits)).toMatchObject({
      ok: false,
      code: 'no_handler',
    });
  });

  onLinux('kills a child that is late or out of memory, and leaves none behind', async () => {
    const bytes = await component();
    const before = children();
    expect(await transpileComponent(bytes, { ...limits, deadlineMs: 1 })).toMatchObject({ ok: false, code: 'timeout' });
    expect(await transpileComponent(bytes, { ...limits, maxMemoryMb: 4 })).toMatchObject({
      ok: false,
      code: 'crashed',
    });
    expect(children()).toEqual(before);
  });
});
