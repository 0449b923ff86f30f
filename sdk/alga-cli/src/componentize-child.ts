// Runs in a child process of its own: the engine's tools print, spawn and leave files, and code of the extension runs in
// them once, when its modules are evaluated.
//
//   node componentize-child.ts SOURCE WIT_DIR OUT RESULT

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const [sourcePath, witPath, outPath, resultPath] = process.argv.slice(2);
if (sourcePath === undefined || witPath === undefined || outPath === undefined || resultPath === undefined) {
  throw new Error('usage: componentize-child.ts SOURCE WIT_DIR OUT RESULT');
}

let result: { ok: true } | { ok: false; message: string };
try {
  const { component } = await componentize({
    sourcePath,
    witPath,
    worldName: 'extension',
    // The platform supplies clocks, randomness and output, and nothing that reaches out: http is the host's own interface.
    disableFeatures: ['http', 'fetch-event'],
  });
  await writeFile(outPath, component);
  result = { ok: true };
} catch (error) {
  result = { ok: false, message: error instanceof Error ? error.message : String(error) };
}
// A file: standard output carries what the extension prints.
await writeFile(resultPath, JSON.stringify(result));
