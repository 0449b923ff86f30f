// A child process of small-component.ts: jco's own components do not run inside jest's VM.
// Standard input: the WIT of a world named `test`. Standard output: a component of that world which does nothing.
import { text } from 'node:stream/consumers';
import { componentEmbed, componentNew } from '@bytecodealliance/jco-transpile/wasm-tools';

const module = await componentEmbed({ witSource: await text(process.stdin), world: 'test', dummy: true });
process.stdout.write(await componentNew(module, []));
