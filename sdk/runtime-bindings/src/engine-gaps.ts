// What this engine cannot do, made loud: left alone, a global `fetch` would end the instance without a message.

/** Replaces what does not work by functions that say so. Run before any other module of the extension. */
export function announceEngineGaps(scope: typeof globalThis): void {
  scope.fetch = () => {
    throw new Error('fetch is not available in an extension: use the http client that the handler is given');
  };
}
