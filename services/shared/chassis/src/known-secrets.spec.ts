import fc from 'fast-check';
import { KnownSecrets } from './known-secrets.ts';

const forms = (value: string): string[] => {
  const bytes = Buffer.from(value);
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    bytes.toString('hex'),
    bytes.toString('base64'),
    bytes.toString('base64url'),
  ];
};

describe('KnownSecrets', () => {
  it('masks a value in every encoding, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', minLength: 8, maxLength: 64 }),
        fc.string({ maxLength: 20 }),
        (value, around) => {
          const secrets = new KnownSecrets();
          secrets.add(value);
          for (const form of forms(value)) {
            expect(secrets.redact(`${around} ${form} ${around}`)).not.toContain(form);
          }
        },
      ),
    );
  });

  it.each([0, 1, 2])('masks a value inside the base64 of a longer text, %p bytes in', (shift) => {
    const secrets = new KnownSecrets();
    secrets.add('correct-horse-battery');
    const encoded = Buffer.from(`${'x'.repeat(shift)}correct-horse-battery staple`).toString('base64');
    expect(secrets.redact(encoded)).toContain('[secret]');
  });

  it('forgets a value only when it was removed as often as it was added', () => {
    const secrets = new KnownSecrets();
    secrets.add('live-value-1');
    secrets.add('live-value-1');
    secrets.remove('live-value-1');
    expect(secrets.redact('live-value-1')).toBe('[secret]');
    secrets.remove('live-value-1');
    expect(secrets.redact('live-value-1')).toBe('live-value-1');
  });

  it('leaves no end of a value that overlaps another', () => {
    const secrets = new KnownSecrets();
    for (const value of ['first-and-', '-and-second', 'secret']) secrets.add(value);
    expect(secrets.redact('a first-and-second, a secret')).toBe('a [secret], a [secret]');
  });

  it('masks every value of many, overlapping or not, and shows all that is none of them', () => {
    fc.assert(
      fc.property(
        // Few letters, so that values repeat, contain and overlap one another.
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 6, maxLength: 12 }), { maxLength: 6 }),
        fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 60 }),
        (values, line) => {
          const secrets = new KnownSecrets();
          for (const value of values) secrets.add(value);
          const masked = Array.from(line, () => false);
          for (const value of values) {
            for (let at = line.indexOf(value); at !== -1; at = line.indexOf(value, at + 1)) {
              masked.fill(true, at, at + value.length);
            }
          }
          const shown = Array.from(line, (letter, at) => (masked[at] ? '' : letter)).join('');
          expect(secrets.redact(line).replaceAll('[secret]', '')).toBe(shown);
          for (const value of values) secrets.remove(value);
          expect(secrets.redact(line)).toBe(line);
        },
      ),
    );
  });

  it('leaves lines alone that hold no known value', () => {
    const secrets = new KnownSecrets();
    secrets.add('live-value-1');
    fc.assert(
      fc.property(fc.string(), (line) => {
        fc.pre(!line.includes('live-value-1'));
        expect(secrets.redact(line)).toBe(line);
      }),
    );
  });
});
