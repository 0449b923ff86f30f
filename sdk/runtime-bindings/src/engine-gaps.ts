// What this engine cannot do, made loud. Components are built without WASI, so that a guest holds nothing that the
// manifest does not name. Left alone, the clock would stand at the time of the build, every instance would draw the same
// "random" numbers (tokens included), and timers and fetch would end the instance without a message.

const CLOCK = 'there is no clock: take the time from an answer, or store what must outlive the call with ttlSeconds';
const RANDOM = 'there is no source of randomness: every instance would produce the same values';
const TIMER = 'there are no timers: a handler runs until it returns';

/** Replaces what does not work by functions that say so. Run before any other module of the extension. */
export function announceEngineGaps(scope: typeof globalThis): void {
  const gap = (name: string, reason: string) => (): never => {
    throw new Error(`${name} is not available in an extension: ${reason}`);
  };
  scope.setTimeout = gap('setTimeout', TIMER) as unknown as typeof setTimeout;
  scope.setInterval = gap('setInterval', TIMER) as unknown as typeof setInterval;
  scope.AbortSignal.timeout = gap('AbortSignal.timeout', TIMER);
  scope.fetch = gap('fetch', 'use the http client that the handler is given');
  scope.Math.random = gap('Math.random', RANDOM);
  scope.crypto.getRandomValues = gap('crypto.getRandomValues', RANDOM);
  scope.crypto.randomUUID = gap('crypto.randomUUID', RANDOM);
  scope.performance.now = gap('performance.now', CLOCK);
  const now = gap('Date.now', CLOCK);
  scope.Date = new Proxy(scope.Date, {
    construct: (target, values, newTarget) =>
      values.length === 0 ? now() : (Reflect.construct(target, values, newTarget) as object),
    // Date() without `new` ignores its arguments and tells the time.
    apply: now,
    get: (target, property, receiver) => (property === 'now' ? now : Reflect.get(target, property, receiver)),
  });
}
