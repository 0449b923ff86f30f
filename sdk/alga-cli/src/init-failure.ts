// Reads what the toolchain prints when the modules of an extension fail while they are evaluated, which happens once,
// during the build.

import { SourceMap, type SourceMapPayload } from 'node:module';
import { type Problem, refused } from './outcome.ts';

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const HOST_CALL = /unknown imported function: '([^']+)' '([^']+)'/;
/** The engine prints `index.js:2:27 Error: text` after the exception notice. */
const EXCEPTION = /^index\.js:\d+:\d+ (.+)$/m;
const FRAME = /index\.js:(\d+):(\d+)/g;
const KILLED = /Process was killed by signal: SIG(?:KILL|XCPU)/;

/**
 * @param output What the toolchain printed.
 * @param map Source map of `index.js`, as JSON text.
 */
export function initFailure(output: string, map: string): { ok: false; problem: Problem } {
  if (KILLED.test(output)) {
    return refused({
      code: 'init_stopped',
      message: 'The modules of the extension were stopped at the start: they ran too long or used up the memory.',
      fix: 'Look for a loop at the top level of a module.',
    });
  }
  const hostCall = HOST_CALL.exec(output);
  const reason = hostCall
    ? `${hostCall[1]} ${hostCall[2]} is called at the top level of a module`
    : (EXCEPTION.exec(output)?.[1] ?? lastLine(output));
  return refused({
    code: 'init_failed',
    message: `The extension fails before its first request: ${reason.replace(/\.$/, '')}.`,
    fix: 'Keep the top level of modules to definitions: host calls, time and randomness belong in the handler.',
    ...placeOf(output, map),
  });
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() || 'the engine gave no reason';
}

// Stacks name the bundle, an author knows the sources; and the place to change is the innermost frame of the author's.
function placeOf(output: string, map: string): Place | undefined {
  const sourceMap = new SourceMap(JSON.parse(map) as SourceMapPayload);
  const places = [...output.matchAll(FRAME)].flatMap(([, line, column]): Place[] => {
    const entry = sourceMap.findEntry(Number(line) - 1, Number(column) - 1);
    if (!('originalSource' in entry)) return [];
    return [{ file: entry.originalSource, line: entry.originalLine + 1, column: entry.originalColumn + 1 }];
  });
  return places.find(({ file }) => file.startsWith('src/')) ?? places[0];
}
