// Small components for specs, made from WIT and WAT.
import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew, parse } from '@bytecodealliance/jco-transpile/wasm-tools';

const WIT = new URL('../../../../../wit/extension-runner.wit', import.meta.url);
const WORLD = '/// What an extension imports';

/** The platform's WIT, without its world. */
export async function platformInterfaces(): Promise<string> {
  const text = await readFile(WIT, 'utf8');
  return text.slice(0, text.indexOf(WORLD));
}

interface Parts {
  /** Lines of the world `test`, the handler's beside them. */
  readonly world?: string;
  /** Instead of the platform's handler. */
  readonly handler?: string;
  /** Changes the text of the platform's interfaces. */
  readonly edit?: (interfaces: string) => string;
  /** Further packages. */
  readonly packages?: string;
}

const HANDLER = `use types.{execute-request, execute-response};
  export handler: func(request: execute-request) -> execute-response;`;

/** A component that imports all that its world names and does nothing. */
export async function componentOf({ world = '', handler = HANDLER, edit = (text) => text, packages = '' }: Parts = {}) {
  const interfaces = edit(await platformInterfaces());
  const witSource = `${interfaces}\nworld test {\n${world}\n${handler}\n}\n${packages}`;
  return componentNew(await componentEmbed({ witSource, world: 'test', dummy: true }), []);
}

/** A component of the platform's handler around a core module, which must export what the canonical ABI asks for. */
export async function componentAround(wat: string, world = ''): Promise<Uint8Array> {
  const interfaces = await platformInterfaces();
  const witSource = `${interfaces}\nworld test {\n${world}\n${HANDLER}\n}`;
  return componentNew(await componentEmbed({ witSource, world: 'test', binary: await parse(wat) }), []);
}
