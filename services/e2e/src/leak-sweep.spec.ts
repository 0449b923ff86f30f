import fc from 'fast-check';
import { sweep } from './leak-sweep.ts';

const sink = (text: string) => ({ name: 'log', bytes: new TextEncoder().encode(text) });

describe('sweep', () => {
  it('finds a planted value in every encoding, whatever surrounds it', () => {
    const value = fc.string({ unit: 'grapheme', minLength: 12, maxLength: 40 });
    fc.assert(
      fc.property(value, fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), (secret, before, after) => {
        const texts = [
          `${before}${secret}${after}`,
          `${before}${encodeURIComponent(secret)}${after}`,
          Buffer.from(`${before}${secret}${after}`).toString('hex'),
          Buffer.from(`${before}${secret}${after}`).toString('base64'),
          Buffer.from(`${before}${secret}${after}`).toString('base64url'),
          JSON.stringify({ [before]: `${secret}${after}` }),
        ];
        for (const text of texts) expect(sweep([sink(text)], [{ label: 'key', value: secret }])).not.toEqual([]);
      }),
    );
  });

  it('finds nothing where the value is not', () => {
    expect(
      sweep([sink('an ordinary line about another-secret-value')], [{ label: 'key', value: 'the-secret-value' }]),
    ).toEqual([]);
  });

  it('names sink, label and encoding, never the value', () => {
    const leaks = sweep([sink('x the-secret-value')], [{ label: 'key', value: 'the-secret-value' }]);
    expect(leaks[0]).toEqual({ sink: 'log', label: 'key', encoding: 'raw' });
    expect(JSON.stringify(leaks)).not.toContain('the-secret-value');
  });
});
