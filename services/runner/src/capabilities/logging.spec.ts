import { Writable } from 'node:stream';
import { createLogger, KnownSecrets } from '@alga/chassis';
import fc from 'fast-check';
import { claims } from '../test-support/tokens.ts';
import { GuestLog } from './logging.ts';

function setUp() {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const knownSecrets = new KnownSecrets();
  const logger = createLogger({ service: 'runner', instance: 'spec', level: 'info', knownSecrets, destination });
  const scope = { claims: claims(), token: '', requestId: 'request-1', remainingMs: () => 1000 };
  const log = new GuestLog(logger, knownSecrets, scope);
  return { knownSecrets, log, lines, messages: () => lines.map((line) => (JSON.parse(line) as { msg: string }).msg) };
}

describe('a guest log', () => {
  it('writes any text as one line of JSON without control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const { log, lines } = setUp();
        log.write('warn', text);
        expect(lines).toHaveLength(1);
        expect(lines[0]?.slice(0, -1)).toMatch(/^[^\p{Cc}\u2028\u2029\u202e]*$/u);
        expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', source: 'guest', requestId: 'request-1' });
      }),
    );
  });

  it('I3: masks a known secret before it cuts or escapes the line', () => {
    const { knownSecrets, log, messages } = setUp();
    const pem = '-----BEGIN KEY-----\nAAAABBBB\n-----END KEY-----';
    knownSecrets.add(pem);
    log.write('info', `key: ${pem}`);
    log.write('info', `${'x'.repeat(8 * 1024 - 10)}${pem}`);
    expect(messages().join()).not.toContain('AAAA');
    expect(messages().join()).not.toContain('BEGIN');
  });

  it('bounds lines and characters per request, and says how much it left out', () => {
    const { log, messages } = setUp();
    for (let index = 0; index < 1_000; index++) log.write('info', 'again');
    log.end();
    expect(messages()).toHaveLength(101);
    expect(messages().at(-1)).toBe('guest log lines dropped');

    const long = setUp();
    for (let index = 0; index < 20; index++) long.log.write('info', 'x'.repeat(4_000_000));
    long.log.end();
    expect(long.lines.join('').length).toBeLessThan(80 * 1024);
  });

  it('drops what is not text', () => {
    const { log, messages } = setUp();
    for (const message of [undefined, null, 7, {}, [], Symbol('x')]) log.write('info', message);
    log.end();
    expect(messages()).toEqual(['guest log lines dropped']);
  });
});
