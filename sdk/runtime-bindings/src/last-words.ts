// What is told of an error that nobody caught. The engine turns it into a trap without a text, and before that writes the
// error to standard error, from where the host takes it for the extension's log. But it writes the message alone, without
// the name of the error; and what is no Error it writes as source code, by `toSource`. So that is what it is given.

/** StarlingMonkey's frames: `function@index.js:3:5`, after `async*` where an await lies between. */
const FRAME = /^(async\*)?(.*)@(.*?:\d+:\d+)$/;
/** The engine's own glue, named after a temporary folder of the machine that built the component. */
const OWN_FRAME = /initializer\.js:/;
/** A chain of causes may be a circle. */
const MAX_CAUSES = 5;

/** What to throw in place of `error`: the engine writes its text, and nothing else, to standard error. */
export function lastWords(error: unknown): { toSource(): string } {
  const text = describe(error);
  return { toSource: () => text };
}

/**
 * `Error: message`, each of its causes as `Caused by: Error: message`, then the frames of the innermost:
 * `    at function (index.js:3:5)`, lines and columns of the bundle, both from 1.
 */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `the handler threw a ${typeof error} that is not an Error`;
  const chain = [error];
  let cause = error.cause;
  while (cause instanceof Error && chain.length <= MAX_CAUSES) {
    chain.push(cause);
    cause = cause.cause;
  }
  const messages = chain.map(({ name, message }) => (message === '' ? name : `${name}: ${message}`));
  return [messages.join('\nCaused by: '), ...framesOf(chain.at(-1)?.stack ?? '')].join('\n');
}

function framesOf(stack: string): string[] {
  return stack.split('\n').flatMap((line) => {
    const [, awaited, name, place] = FRAME.exec(line) ?? [];
    if (place === undefined || OWN_FRAME.test(place)) return [];
    return [`    at ${awaited === undefined ? '' : 'async '}${name === '' ? place : `${name} (${place})`}`];
  });
}
