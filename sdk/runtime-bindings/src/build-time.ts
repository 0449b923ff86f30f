// The modules of an extension run once, when the component is built, and what they leave in memory is where every request
// begins. A time, a random number or a timer taken there would be the same in every request of every tenant, tokens
// included. So all of these are errors until the first request, and the engine's own from then on.

type Fn = (...values: never[]) => unknown;

const REASON =
  'modules run once, when the component is built, and every request would find the same value. Call it in the handler';

/**
 * Makes functions that give another value on each call errors, until the result is called. Run before any other module of
 * the extension.
 */
export function guardBuildTime(scope: typeof globalThis): () => void {
  let serving = false;
  const restorers: (() => void)[] = [];
  const refuse = (label: string): void => {
    if (!serving) throw new Error(`${label} at the top level of a module: ${REASON}.`);
  };

  function replace<Owner extends object, Name extends keyof Owner>(owner: Owner, name: Name, value: Owner[Name]): void {
    const before = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, { value, writable: true, configurable: true });
    // Absent: it stands on the prototype.
    restorers.push(() => {
      if (before === undefined) delete owner[name];
      else Object.defineProperty(owner, name, before);
    });
  }

  // A module may keep the function for later (`const { now } = Date`): it has to work then.
  function guard<Owner extends object, Name extends string & keyof Owner>(
    label: string,
    owner: Owner,
    name: Name,
  ): void {
    const original = owner[name] as Fn;
    const guarded = function (this: unknown, ...values: never[]) {
      refuse(label);
      return Reflect.apply(original, this === undefined ? owner : this, values);
    };
    replace(owner, name, guarded as Owner[Name]);
  }

  guard('Math.random', scope.Math, 'random');
  guard('crypto.getRandomValues', scope.crypto, 'getRandomValues');
  guard('crypto.randomUUID', scope.crypto, 'randomUUID');
  guard('performance.now', scope.performance, 'now');
  guard('setTimeout', scope, 'setTimeout');
  guard('setInterval', scope, 'setInterval');
  guard('AbortSignal.timeout', scope.AbortSignal, 'timeout');
  guard('Date.now', scope.Date, 'now');
  replace(
    scope,
    'Date',
    new Proxy(scope.Date, {
      construct: (target, values, newTarget) => {
        if (values.length === 0) refuse('new Date()');
        return Reflect.construct(target, values, newTarget) as object;
      },
      // Without `new` it ignores its arguments and tells the time.
      apply: (target) => {
        refuse('Date()');
        return target();
      },
    }),
  );

  return () => {
    if (serving) return;
    serving = true;
    // In reverse: what was replaced last stands on what was replaced before.
    for (const restore of restorers.reverse()) restore();
  };
}
