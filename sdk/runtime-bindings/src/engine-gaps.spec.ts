import { announceEngineGaps } from './engine-gaps.ts';

describe('announceEngineGaps', () => {
  it('makes fetch an error that says what to use instead', () => {
    const scope = {} as typeof globalThis;
    announceEngineGaps(scope);
    expect(() => scope.fetch('https://a.example')).toThrow(
      /fetch is not available in an extension: use the http client/,
    );
  });
});
