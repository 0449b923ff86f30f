import { textOf } from './arguments.ts';
import { type CallScope, type Capability, ok, refused } from './capability.ts';

/** More than any key has; a longer one is not set. */
const MAX_KEY_CHARS = 256;

/** The install's configuration. `text` is what the envelope's hash covers. */
export function configCapability(text: string, scope: CallScope): Capability {
  let values: ReadonlyMap<string, string> | undefined;
  return {
    get(args) {
      const key = textOf(args[0], MAX_KEY_CHARS);
      if (key === undefined) {
        scope.explain('config.get', `the key is not text of at most ${MAX_KEY_CHARS} characters`);
        return refused('internal');
      }
      values ??= jsonByKey(text);
      return ok(values.get(key));
    },
    getAll: () => ok(text),
  };
}

/** @throws Error when the text is not a JSON object: the control-plane signed something else than a configuration. */
function jsonByKey(text: string): ReadonlyMap<string, string> {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('the config is not an object');
  // A Map: `__proto__` is a key like any other, and not there unless it was set.
  return new Map(Object.entries(value).map(([key, member]) => [key, JSON.stringify(member)]));
}
