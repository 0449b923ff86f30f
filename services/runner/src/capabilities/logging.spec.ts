import { Writable } from 'node:stream';
import { createLogger, KnownSecrets } from '@alga/chassis';
import { AlgaError } from '@alga/contracts';
import fc from 'fast-check';
import { claims } from '../test-support/tokens.ts';
import { GuestText } from './guest-text.ts';
import { LogRate } from './log-rate.ts';
import { GuestLog } from './logging.ts';

const LOG_BYTES = 65_536;
/** JSON writes C0 controls as escapes by itself, the others as they are. */
const HARMLESS = /^[^\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*$/u;
const hostile = fc.string({
  unit: fc.constantFrom(
    'a',
    '\n',
    '\u001b[31m',
    '\u0085',
    '\u009b',
    '\u2028',
    '\u2029',
    '\u202e',
    '\u2066',
    '\ufeff',
    '\ud800',
  ),
});

function setUp(secrets: readonly string[] = [], logBytes = LOG_BYTES) {
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const knownSecrets = new KnownSecrets();
  for (const secret of secrets) knownSecrets.add(secret);
  const logger = createLogger({ service: 'runner', instance: 'spec', level: 'info', knownSecrets, destination });
  const clock = { now: 0 };
  const log = new GuestLog(
    { logger, text: new GuestText(knownSecrets, () => secrets), rate: new LogRate(() => clock.now), logBytes },
    { claims: claims(), requestId: 'request-1' },
  );
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown> & { msg: string });
  return { clock, log, lines, records, messages: () => records().map(({ msg }) => msg) };
}

describe('a guest log', () => {
  it('writes any text as one line of JSON without control characters', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), hostile), (text) => {
        const { log, lines } = setUp();
        log.write('warn', text);
        expect(lines).toHaveLength(1);
        expect(lines[0]?.slice(0, -1)).toMatch(HARMLESS);
        expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'warn', source: 'guest', requestId: 'request-1' });
      }),
    );
  });

  it('I3: masks a known secret before it cuts or escapes the line', () => {
    const pem = '-----BEGIN KEY-----\nAAAABBBB\n-----END KEY-----';
    const { log, messages } = setUp([pem]);
    log.write('info', `key: ${pem}`);
    log.write('info', `${'x'.repeat(8 * 1024 - 10)}${pem}`);
    expect(messages().join()).not.toContain('AAAA');
    expect(messages().join()).not.toContain('BEGIN');
  });

  it('writes what fits the bytes of the request, the labels of each line counted, and says how many lines it left out', () => {
    for (const message of ['', 'again', 'x'.repeat(5_000), '\u20ac'.repeat(4_000_000), '\u0000'.repeat(4_000)]) {
      const { log, records, lines } = setUp();
      for (let index = 0; index < 1_500; index++) log.write('info', message);
      log.end();
      const written = records().slice(0, -1);
      const cost = written.reduce((sum, { msg }) => sum + Buffer.byteLength(msg) + 64, 0);
      expect(cost).toBeLessThanOrEqual(LOG_BYTES);
      expect(written.length).toBeGreaterThan(0);
      expect(records().at(-1)).toMatchObject({ msg: 'guest log lines dropped', dropped: 1_500 - written.length });
      expect(lines.join('').length).toBeLessThan(6 * LOG_BYTES);
    }
  });

  it('writes nothing after the first line that does not fit, and nothing at all without a budget', () => {
    const { log, messages } = setUp([], 200);
    log.write('info', 'first');
    log.write('info', 'x'.repeat(300));
    log.write('info', 'third');
    expect(messages()).toEqual(['first']);

    const silent = setUp([], 0);
    silent.log.write('error', 'a');
    silent.log.writeOutput('stdout', 'b\n');
    silent.log.end();
    expect(silent.messages()).toEqual(['guest log lines dropped']);
  });

  it('writes no more lines than the rate of the install allows, whatever the request has left', () => {
    const { log, messages, clock } = setUp([], 1_048_576);
    for (let index = 0; index < 3_000; index++) log.write('info', 'again');
    expect(messages()).toHaveLength(2_000);
    clock.now += 1_000;
    log.end();
    expect(messages().slice(2_000)).toEqual(['guest log lines dropped']);
  });

  it('looks at no more of its input than it may write, so that a flood costs little time', () => {
    const { log } = setUp(Array.from({ length: 500 }, (_, index) => `secret-value-${index}`));
    const message = 'x'.repeat(1_000_000);
    const started = performance.now();
    for (let index = 0; index < 10_000; index++) log.write('info', message);
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it('drops what is not text', () => {
    const { log, messages } = setUp();
    for (const message of [undefined, null, 7, {}, [], Symbol('x')]) log.write('info', message);
    log.end();
    expect(messages()).toEqual(['guest log lines dropped']);
  });
});

describe('output of a guest', () => {
  it('is logged line by line, under the stream that it was written to', () => {
    const { log, records } = setUp();
    log.writeOutput('stdout', 'one\ntw');
    log.writeOutput('stderr', 'bad\n\n');
    log.writeOutput('stdout', 'o\nthree');
    log.end();
    expect(records().map(({ level, stream, msg }) => [level, stream, msg])).toEqual([
      ['info', 'stdout', 'one'],
      ['warn', 'stderr', 'bad'],
      ['info', 'stdout', 'two'],
      ['info', 'stdout', 'three'],
    ]);
    for (const record of records()) expect(record).toMatchObject({ source: 'guest', requestId: 'request-1' });
  });

  it('stands before the failure that it led to, and is no longer taken once the request is over', () => {
    const { log, messages } = setUp();
    log.writeOutput('stderr', 'about to fail');
    log.writeFailure(new AlgaError('guest_trap'), undefined);
    log.end();
    log.writeOutput('stderr', 'late\n');
    log.write('info', 'late');
    expect(messages()).toEqual(['about to fail', 'The extension failed.']);
  });

  it('has one budget with the log lines', () => {
    const { log, messages } = setUp([], 200);
    log.writeOutput('stdout', 'a\n');
    log.write('info', 'b');
    log.writeOutput('stderr', 'c\n');
    log.writeOutput('stderr', 'd\n');
    expect(messages()).toEqual(['a', 'b', 'c']);
  });
});

describe('the failure of a call', () => {
  const error = new AlgaError('guest_trap');
  const labels = { source: 'guest', tenantId: 'acme', installId: 'inst-1', extensionId: 'fixture', version: '1.0.0' };

  it("is logged under its code, with the guest's last words and where in its sources it stood", () => {
    const { log, records } = setUp();
    log.writeFailure(error, { message: 'Error: no region', frames: ['load (src/index.ts:3:9)', 'src/index.ts:20:1'] });
    expect(records()).toMatchObject([
      {
        ...labels,
        level: 'error',
        requestId: 'request-1',
        code: 'guest_trap',
        msg: 'Error: no region',
        frames: ['load (src/index.ts:3:9)', 'src/index.ts:20:1'],
      },
    ]);
  });

  it('is logged where the guest said nothing, and where it has used up what it may log', () => {
    const { log, records } = setUp([], 0);
    log.writeFailure(new AlgaError('guest_timeout'), undefined);
    expect(records()).toMatchObject([{ ...labels, code: 'guest_timeout', msg: 'The extension took too long.' }]);
    expect(records()[0]).not.toHaveProperty('frames');
  });

  it('I3: shows no secret and no part of one that the cut left over, and keeps to one harmless line', () => {
    const secret = 'canary-0123456789-canary';
    const guest = {
      message: `${secret.slice(9)} then ${secret}\r\n\u001b[31m then ${secret.slice(0, 12)}`,
      frames: [`f${secret} (index.ts:1:1)`, `g\n${secret.slice(0, 15)}`],
    };
    const { log, lines } = setUp([secret]);
    log.writeFailure(error, guest);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toMatch(/canary|0123|789/);
    expect(lines[0]?.slice(0, -1)).toMatch(HARMLESS);
  });
});
