import type { Engine } from './traits.ts';
import type { CoreModule } from './wasm/core-module.ts';

/** What componentize-js's build of StarlingMonkey exports beside the author's functions. */
const STARLINGMONKEY_EXPORTS: readonly string[] = ['check_init', 'wizer-initialize'];
/** The shared library of componentize-qjs, as its linker names it in exports. */
const QUICKJS_PREFIX = 'componentize_qjs_runtime.wasm:';

/** What runs inside a component, by what its core modules export. Informative: nothing depends on its being true. */
export function engineOf(modules: readonly CoreModule[]): Engine {
  for (const { exports } of modules) {
    if (STARLINGMONKEY_EXPORTS.every((name) => exports.some((exported) => exported.name === name))) {
      return 'starlingmonkey';
    }
    if (exports.some(({ name }) => name.startsWith(QUICKJS_PREFIX))) return 'quickjs';
  }
  return 'native';
}
