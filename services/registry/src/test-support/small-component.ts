import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

const CHILD = path.join(import.meta.dirname, 'componentize.ts');
const WIT = new URL('../../../../wit/extension-runner.wit', import.meta.url);
const DEADLINE_MS = 60_000;

/** A few KB of valid component that imports the given interfaces and, unless told otherwise, exports `handler`. */
export async function smallComponent(
  imports: readonly string[],
  options: { readonly handler?: boolean; readonly wit?: (platform: string) => string; readonly packages?: string } = {},
): Promise<Uint8Array> {
  const platform = await readFile(WIT, 'utf8');
  const interfaces = platform.slice(0, platform.indexOf('/// What an extension imports'));
  const world = [
    'world test {',
    ...imports.map((name) => `  import ${name};`),
    '  use types.{execute-request, execute-response};',
    ...(options.handler === false ? [] : ['  export handler: func(request: execute-request) -> execute-response;']),
    '}',
  ].join('\n');
  const wit = `${(options.wit ?? ((text: string) => text))(interfaces)}\n${world}\n${options.packages ?? ''}`;
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [CHILD],
      { encoding: 'buffer', timeout: DEADLINE_MS, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) =>
        error === null ? resolve(stdout) : reject(new Error(stderr.toString() || error.message)),
    );
    child.stdin?.end(wit);
  });
}
