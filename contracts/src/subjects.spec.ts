import fc from 'fast-check';
import { channels } from './channels.ts';
import { fillSubject, PREFIX, STREAMS, SUBJECTS, wildcardSubject } from './subjects.ts';

const patterns = Object.values(SUBJECTS);
const parameters = (pattern: string) => [...pattern.matchAll(/\$([A-Za-z]+)/g)].map(([, name]) => name ?? '');

describe('a subject', () => {
  it('filled with any text either is refused or has as many tokens as its pattern, none of them a wildcard', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('*', '>', 'a.b', '', ' ', 'a\n', 'a*', '\u0000', '$x', '$&'));
    fc.assert(
      fc.property(fc.constantFrom(...patterns), text, (pattern, value) => {
        const params = Object.fromEntries(parameters(pattern).map((name) => [name, value]));
        let subject: string;
        try {
          subject = fillSubject(pattern, params);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        expect(subject).toMatch(/^alga\.v1(\.[A-Za-z0-9_-]+)+$/);
        expect(subject.split('.').length).toBe(`${PREFIX}${pattern}`.split('.').length);
      }),
    );
  });

  it('lacking a parameter is refused', () => {
    expect(() => fillSubject(SUBJECTS.executeOn)).toThrow(TypeError);
    expect(() => fillSubject(SUBJECTS.executeOn, { runnerId: 'a.b' })).toThrow(TypeError);
  });

  it('is taken by one channel only, and never by the wildcard of another', () => {
    const wildcards = patterns.map(wildcardSubject);
    expect(new Set(wildcards).size).toBe(wildcards.length);
    const matches = (wildcard: string, subject: string) => {
      const [pattern, tokens] = [wildcard.split('.'), subject.split('.')];
      return pattern.length === tokens.length && pattern.every((token, at) => token === '*' || token === tokens[at]);
    };
    for (const subject of wildcards)
      expect(wildcards.filter((wildcard) => matches(wildcard, subject))).toEqual([subject]);
  });
});

describe('the channels', () => {
  it('cover every subject, each with a producer and a consumer', () => {
    expect(Object.keys(channels).sort()).toEqual(Object.keys(SUBJECTS).sort());
    for (const channel of Object.values(channels)) {
      expect(channel.producers.length).toBeGreaterThan(0);
      expect(channel.consumers.length).toBeGreaterThan(0);
    }
  });

  it('are kept by a stream exactly when durable', () => {
    const streams = Object.values(STREAMS).flatMap(({ subjects }) =>
      subjects.map((subject) => subject.replace('>', '')),
    );
    for (const channel of Object.values(channels)) {
      const kept = streams.some((prefix) => channel.wildcard.startsWith(prefix));
      expect({ subject: channel.wildcard, kept }).toEqual({
        subject: channel.wildcard,
        kept: channel.kind === 'event' && channel.durable,
      });
    }
  });

  it('do not send a message that does not match its schema', () => {
    expect(() => channels.apikeyVerify.request.encode({ keySha256: 'not a hash' })).toThrow(TypeError);
  });

  it('do not quote the value they refuse: it may be a secret (I3)', () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ keySha256: 'alga_t_plain_key' }));
    expect(JSON.stringify(channels.apikeyVerify.request.decode(bytes))).not.toContain('alga_t_plain_key');
  });
});
