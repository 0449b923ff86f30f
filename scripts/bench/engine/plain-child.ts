// jco as its users run it: nothing patched, its own glue. In a process that ends, since the tool keeps its memory.
import { transpile } from '@bytecodealliance/jco-transpile';
import { answerCommands } from './commands.ts';

/** As the registry transpiles, so that the only difference is what comes after. */
async function plain(file: string, name: string, asyncImports: string[]): Promise<Map<string, Uint8Array>> {
  const { files } = await transpile(file, {
    name,
    instantiation: 'async',
    wasiShim: false,
    nodejsCompat: false,
    base64Cutoff: 0,
    emitTypescriptDeclarations: false,
    namespacedExports: false,
    validLiftingOptimization: false,
    tlaCompat: false,
    asyncMode: 'jspi',
    asyncImports,
    asyncExports: ['handler'],
  });
  return new Map(Object.entries(files));
}

const commands = { plain };
export type PlainCommands = typeof commands;
answerCommands(commands);
