import { KnownSecrets } from '@alga/chassis';
import fc from 'fast-check';
import { GuestText } from './guest-text.ts';
import { OutputLines } from './output-lines.ts';

const PEM = '-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----\n';

/** What comes out when `text` is written in pieces that end at the given places. */
function linesOf(text: string, cuts: readonly number[], secrets: readonly string[] = []): string[] {
  const known = new KnownSecrets();
  for (const secret of secrets) known.add(secret);
  const lines: string[] = [];
  const output = new OutputLines(new GuestText(known, () => secrets), (line) => lines.push(line));
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    output.push(text.slice(from, cut));
    from = Math.max(from, cut);
  }
  output.push(text.slice(from));
  output.end();
  return lines;
}

const cuts = fc.array(fc.nat(200), { maxLength: 8 });

describe('output of a guest', () => {
  it('becomes the lines that it is, in whatever pieces it comes', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n'), maxLength: 200 });
    fc.assert(
      fc.property(text, cuts, (text, cuts) => {
        const expected = text.split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(linesOf(text, cuts)).toEqual(expected);
      }),
    );
  });

  it('I3: shows nothing of a secret with line breaks, in whatever pieces it comes and wherever it ends', () => {
    fc.assert(
      fc.property(
        cuts,
        fc.nat(PEM.length),
        fc.string({ unit: fc.constantFrom('x', '\n'), maxLength: 9 }),
        (cuts, end, after) => {
          const shown = linesOf(`key: ${PEM}${after}${PEM.slice(0, end)}`, cuts, [PEM]).join('|');
          // Fewer than six characters of a value at the very end may pass for anything.
          expect(shown).not.toMatch(/BEGIN|AAAA|DDDD|END KEY/);
          expect(shown).toMatch(/^key: \[secret\]/);
        },
      ),
    );
  });

  it('without a line break is not collected for ever', () => {
    const lines = linesOf('x'.repeat(1_000_000), [1_000, 80_000, 160_000, 400_000]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(700_000);
    expect(lines.length).toBeGreaterThan(3);
  });
});
