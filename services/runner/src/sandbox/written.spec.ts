import fc from 'fast-check';
import type { OutputStreamName } from './protocol.ts';
import { Written } from './written.ts';

interface Piece {
  readonly stream: OutputStreamName;
  readonly text: string;
}

const MAX_CHARS = 8_192;

function record(maxChars: number) {
  const told: Piece[] = [];
  const written = new Written(1, maxChars, ({ stream, text }) => told.push({ stream, text }));
  const add = (stream: OutputStreamName, text: string): void => written.add(stream, new TextEncoder().encode(text));
  const textOf = (stream: OutputStreamName): string =>
    told.flatMap((piece) => (piece.stream === stream ? [piece.text] : [])).join('');
  return { told, written, add, textOf };
}

describe('what a guest writes', () => {
  it('is told whole, up to the limit, in full pieces and one rest per stream, however it was cut', () => {
    const write = fc.record({
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      text: fc.oneof(
        fc.string(),
        fc.nat({ max: 20_000 }).map((length) => 'x'.repeat(length)),
      ),
    });
    fc.assert(
      fc.property(fc.array(write), fc.nat({ max: 60_000 }), (writes, maxChars) => {
        const { told, written, add, textOf } = record(maxChars);
        let left = maxChars;
        const expected = { stdout: '', stderr: '' };
        for (const { stream, text } of writes) {
          add(stream, text);
          expected[stream] += text.slice(0, left);
          left -= Math.min(left, text.length);
        }
        written.flush();
        expect({ stdout: textOf('stdout'), stderr: textOf('stderr') }).toEqual(expected);
        expect(told.every(({ text }) => text !== '' && text.length <= MAX_CHARS)).toBe(true);
        expect(told.length).toBeLessThanOrEqual(2 + (maxChars - left) / MAX_CHARS);
      }),
    );
  });

  it('is not told once it has been dropped', () => {
    const { told, written, add } = record(100);
    add('stdout', 'gathered');
    written.drop();
    add('stdout', 'later');
    written.flush();
    expect(told).toEqual([]);
  });

  it('is remembered by its end on stderr', () => {
    const { written, add } = record(10_000);
    for (const text of ['a'.repeat(5_000), 'end']) add('stderr', text);
    add('stdout', 'not this');
    expect(written.stderrTail).toBe(`${'a'.repeat(4_093)}end`);
  });
});
