import { initFailure } from './init-failure.ts';

const NO_MAP = JSON.stringify({ version: 3, sources: [], mappings: '' });
// Line 1 of the bundle is line 5 of the runtime, line 2 is line 7 of the extension.
const MAP = JSON.stringify({ version: 3, sources: ['../runtime/gaps.ts', 'src/index.ts'], mappings: 'AAIA;ACEA' });

describe('initFailure', () => {
  it('gives the exception and the innermost place in the extension', () => {
    const output = [
      'Failed to initialize component (wizer):',
      'Exception while evaluating top-level script',
      'index.js:1:27 Error: Date.now is not available',
      'Stack:',
      '  gap@index.js:1:27',
      '  @index.js:2:11',
    ].join('\n');
    expect(initFailure(output, MAP).problem).toMatchObject({
      code: 'init_failed',
      message: 'The extension fails before its first request: Error: Date.now is not available.',
      file: 'src/index.ts',
      line: 7,
    });
  });

  it('names the host function that is called too early', () => {
    const output = "1: Error: attempted to call an unknown imported function: 'alga:extension/secrets@1.0.0' 'get'\n";
    expect(initFailure(output, NO_MAP).problem.message).toContain(
      'alga:extension/secrets@1.0.0 get is called at the top',
    );
  });

  it('tells an endless loop from an error', () => {
    expect(initFailure('Process was killed by signal: SIGKILL', NO_MAP).problem.code).toBe('init_stopped');
  });

  it.each([
    ['', 'the engine gave no reason'],
    ['first\n  last  \n', 'last'],
  ])('falls back on %j to %j', (output, text) => {
    expect(initFailure(output, NO_MAP).problem.message).toContain(text);
  });
});
