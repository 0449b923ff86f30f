import { guestError } from './guest-error.ts';
import { ScriptMap } from './script-map.ts';

/** Line 1, column 1 of index.js is line 10, column 3 of src/index.ts; line 2 is line 11. */
const MAP = new ScriptMap(
  new TextEncoder().encode(JSON.stringify({ version: 3, sources: ['src/index.ts'], names: [], mappings: 'AASE;AACA' })),
);

describe('guestError', () => {
  it('shows frames in the sources of the author', () => {
    const stderr = 'Error: no such ticket\nread@index.js:2:1\n@index.js:1:1\n';
    expect(guestError(stderr, MAP)).toEqual({
      message: 'Error: no such ticket',
      frames: ['read (src/index.ts:11:3)', 'src/index.ts:10:3'],
    });
  });

  it('reads frames of QuickJS, and leaves frames of other files as they are', () => {
    expect(guestError('TypeError: x\n    at go (index.js:1:1)\n    at <eval> (glue.js:7)\n', MAP)).toEqual({
      message: 'TypeError: x',
      frames: ['go (src/index.ts:10:3)', '<eval> (glue.js:7:1)'],
    });
  });

  it('shows the bundle where there is no map, or none that can be read', () => {
    for (const map of [undefined, new ScriptMap(new TextEncoder().encode('{'))]) {
      expect(guestError('Error: x\nf@index.js:2:1', map)?.frames).toEqual(['f (index.js:2:1)']);
    }
  });

  it('reads the line in which QuickJS tells of an uncaught error', () => {
    const stderr = String.raw`thread '<unnamed>' panicked at src/lib.rs:1:
Failed to call 'handler': Exception(Exception { message: Some("no \"such\" ticket"), stack: Some("    at go (/index.js:1:1)\n    at handler (/index.js:2:1)\n") })
note: run with RUST_BACKTRACE=1`;
    expect(guestError(stderr, MAP)).toEqual({
      message: 'no "such" ticket',
      frames: ['go (src/index.ts:10:3)', 'handler (src/index.ts:11:3)'],
    });
  });

  it('leaves out what the engine and its build tools add', () => {
    const stderr = `no such ticket
Stack:
  inner@index.js:2:1
  export_handler@/tmp/build/initializer.js:1209:15

Redirecting call to abort() to mozalloc_abort
`;
    expect(guestError(stderr, MAP)).toEqual({ message: 'no such ticket', frames: ['inner (src/index.ts:11:3)'] });
  });

  it('takes the last error where there are several', () => {
    expect(guestError('Error: first\nf@index.js:1:1\nError: last\ng@index.js:1:1\n', undefined)).toEqual({
      message: 'Error: last',
      frames: ['g (index.js:1:1)'],
    });
  });

  it('is nothing where the guest said nothing, and bounded where it said much', () => {
    expect(guestError('\n \n', undefined)).toBeUndefined();
    const much = guestError(`${'x'.repeat(50_000)}\n${`${'f'.repeat(500)}@index.js:1:1\n`.repeat(100)}`, undefined);
    expect(much?.message.length).toBeLessThanOrEqual(2_048);
    expect(much?.frames.length).toBeLessThanOrEqual(20);
    expect(much?.frames.every((frame) => frame.length <= 256)).toBe(true);
  });
});
