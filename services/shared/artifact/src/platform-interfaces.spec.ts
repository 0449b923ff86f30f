import { readFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';
import { HANDLER_TYPE, PLATFORM_INTERFACES } from './platform-interfaces.ts';
import { scanComponent } from './wasm/component.ts';

const WIT = new URL('../../../../wit/extension-runner.wit', import.meta.url);

it('the platform’s types are those of wit/extension-runner.wit, all of them', async () => {
  const witSource = await readFile(WIT, 'utf8');
  const component = await componentNew(await componentEmbed({ witSource, world: 'extension', dummy: true }), []);
  const scanned = scanComponent(component);
  if (!scanned.ok) throw new Error(scanned.message);
  const interfaces = [...scanned.imports].flatMap(([name, entity]) => {
    if (entity.sort !== 'instance') return [];
    const functions = [...entity.exports].flatMap(([key, value]) => (value.sort === 'func' ? [[key, value.text]] : []));
    return [[name.replace(/^alga:extension\/|@1\.0\.0$/g, ''), Object.fromEntries(functions)]];
  });
  expect(
    Object.fromEntries([...PLATFORM_INTERFACES].map(([name, functions]) => [name, Object.fromEntries(functions)])),
  ).toEqual(Object.fromEntries(interfaces));
  expect(scanned.exports.get('handler')).toEqual({ sort: 'func', text: HANDLER_TYPE });
});
