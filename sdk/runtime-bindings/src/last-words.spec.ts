import { lastWords } from './last-words.ts';

/** An error with a stack as StarlingMonkey writes it. */
function thrown(error: Error, ...frames: string[]): Error {
  error.stack = `${frames.join('\n')}\n`;
  return error;
}
const said = (error: unknown) => lastWords(error).toSource();

describe('lastWords', () => {
  it('names the error, its message and its frames as `at function (file:line:column)`', () => {
    const error = thrown(
      new RangeError('out of tickets'),
      'read@index.js:3:5',
      '@index.js:9:1',
      'async*go@index.js:7:2',
    );
    expect(said(error)).toBe(
      'RangeError: out of tickets\n    at read (index.js:3:5)\n    at index.js:9:1\n    at async go (index.js:7:2)',
    );
  });

  it('leaves out the frames of the build tools, which name a folder of the machine that built the component', () => {
    const error = thrown(new Error('x'), 'a@index.js:1:1', 'export_handler@/tmp/6e6b/sources/initializer.js:1209:15');
    expect(said(error)).toBe('Error: x\n    at a (index.js:1:1)');
  });

  it('tells the causes, and the place of the innermost', () => {
    const inner = thrown(new TypeError('inner'), 'deep@index.js:2:2');
    const outer = thrown(new Error('outer', { cause: inner }), 'shallow@index.js:1:1');
    expect(said(outer)).toBe('Error: outer\nCaused by: TypeError: inner\n    at deep (index.js:2:2)');
  });

  it('ends where causes go round in a circle', () => {
    const error = thrown(new Error('round'), 'a@index.js:1:1');
    error.cause = error;
    expect(said(error).split('Caused by').length).toBeLessThan(10);
  });

  it('says so where what is thrown is no Error, without printing it', () => {
    expect(said('s3cr3t')).toBe('the handler threw a string that is not an Error');
    expect(said({ payload: 's3cr3t' })).not.toContain('s3cr3t');
  });

  it('does without a stack', () => {
    const error = new Error('');
    delete error.stack;
    expect(said(error)).toBe('Error');
  });
});
