import { DefaultDeserializer, DefaultSerializer } from 'node:v8';
import fc from 'fast-check';
import { isPlainData } from '../sandbox/plain-data.ts';
import { isSandboxMessage } from './wire-format.ts';

/** As Node's child_process writes: a zero before an ArrayBufferView. */
class Writer extends DefaultSerializer {
  _writeHostObject(view: NodeJS.ArrayBufferView): void {
    this.writeUint32(0);
    // Not in Node's types: an underscore and no more protects it.
    (DefaultSerializer.prototype as unknown as Writer)._writeHostObject.call(this, view);
  }
}

class Reader extends DefaultDeserializer {
  _readHostObject(): unknown {
    if (this.readUint32() !== 0) throw new Error('not a view');
    return (DefaultDeserializer.prototype as unknown as Reader)._readHostObject.call(this);
  }
}

function write(value: unknown): Buffer {
  const writer = new Writer();
  writer.writeHeader();
  writer.writeValue(value);
  return writer.releaseBuffer();
}

function read(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  reader.readHeader();
  return reader.readValue();
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
const name = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,30}$/);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 7, depthSize: 'small' },
    fc.constantFrom(undefined, null, true, false, -0, Number.NaN),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n }),
    text,
    fc.uint8Array({ maxLength: 64 }),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(name, tie('value'), { maxKeys: 6 }),
  ),
}));
const id = fc.nat();
const message = fc.oneof(
  fc.record({ type: fc.constant('ready') }),
  fc.record({ type: fc.constant('loaded'), artifact: text }),
  fc.record({ type: fc.constant('load_failed'), artifact: text, message: text }),
  fc.record({
    type: fc.constant('host_call'),
    call: id,
    seq: id,
    interface: text,
    function: text,
    args: fc.array(value, { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('output'), call: id, stream: fc.constantFrom('stdout', 'stderr'), text }),
  fc.record({ type: fc.constant('finished'), call: id, response: value }),
  fc.record(
    {
      type: fc.constant('failed'),
      call: id,
      reason: text,
      message: text,
      guest: fc.record({ message: text, frames: fc.array(text, { maxLength: 20 }) }),
    },
    { requiredKeys: ['type', 'call', 'reason', 'message'] },
  ),
  fc.record({ type: fc.constant('cancelled'), call: id }),
);

const finished = (response: unknown) => write({ type: 'finished', call: 1, response });
const repeated = { name: 'a', value: 'b' };
const nested = (depth: number): unknown => (depth === 0 ? 0 : { in: nested(depth - 1) });
const withKeys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 0]));

const FORBIDDEN: readonly (readonly [string, unknown])[] = [
  ['a Map', new Map([[1, 2]])],
  ['a Set', new Set([1.5])],
  ['a Date', new Date(0)],
  ['a RegExp', /x/],
  ['an Error', new Error('x')],
  ['a sparse array', Object.assign([], { 4000000: 1 })],
  ['an array with a hole', new Array(1)],
  ['an array with a member', Object.assign([1], { extra: 1 })],
  ['a boxed boolean', Object(true)],
  ['a boxed number', Object(1)],
  ['a boxed bigint', Object(1n)],
  ['a boxed string', Object('x')],
  ['an ArrayBuffer', new ArrayBuffer(8)],
  ['a Float64Array', new Float64Array(1)],
  ['a DataView', new DataView(new ArrayBuffer(1))],
  ['an object that is there twice', [repeated, repeated]],
  ['a bigint of more than 128 bits', 2n ** 128n],
  ['a member that is an index', { 7: 0 }],
  ['a member with a long name', { ['k'.repeat(65)]: 0 }],
  ['a member without a name', { '': 0 }],
  ['a member whose name is not Latin-1', { '€': 0 }],
  ['an object of 33 members', withKeys(33)],
  ['12 objects in each other', nested(12)],
  ['200,000 values', new Array(200_000).fill(0)],
];

describe('isSandboxMessage', () => {
  it('lets every message of the sandbox pass', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(isSandboxMessage(write(sent))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['the headers of a long response', Array.from({ length: 128 }, () => ({ name: 'x-name', value: '€' }))],
    // As many as plain-data.ts lets a child send, at 16 bytes each.
    ['all the values that a child may send', new Array(81_919).fill(0)],
    ['an array that V8 keeps as one with holes', [[].map(() => 0), new Array(3).fill('x')]],
    ['an object of 32 members', withKeys(32)],
    ['11 objects in each other', nested(11)],
    ['a body of 1 MiB', new Uint8Array(1_048_576)],
  ])('lets pass %s', (_, response) => {
    expect(isSandboxMessage(finished(response))).toBe(true);
  });

  it.each(FORBIDDEN)('refuses %s, wherever it is', (_, forbidden) => {
    const wrappers = fc.array(
      fc.tuple(fc.constantFrom('array', 'object'), fc.constantFrom(undefined, 1, 'é', '€', 1n)),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(wrappers, (wraps) => {
        const planted = wraps.reduce<unknown>(
          (inner, [kind, sibling]) => (kind === 'array' ? [sibling, inner] : { sibling, inner }),
          forbidden,
        );
        expect(isSandboxMessage(finished(planted))).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    [undefined],
    [null],
    [1],
    ['ready'],
    [[]],
    [{}],
    [{ type: 'ready', extra: 'x' }],
    [{ type: 'output', call: 1, stream: 'stdout', text: 'x', response: 'x' }],
    [{ cmd: 'NODE_HANDLE', type: 'net.Socket', msg: {} }],
  ])('refuses what has not the members of a message: %j', (other) => {
    expect(isSandboxMessage(write(other))).toBe(false);
  });

  it('refuses a message that is cut off, or goes on', () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (sent, part) => {
        const bytes = write(sent);
        expect(isSandboxMessage(bytes.subarray(0, Math.floor(bytes.length * part)))).toBe(false);
        expect(isSandboxMessage(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(false);
      }),
    );
  });

  it('what it lets pass is plain data to V8 too, or nothing', () => {
    const edits = fc.array(
      fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('oA{$"cS\\Z^;\':-')))),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(message, edits, (sent, changes) => {
        const bytes = write(sent);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        if (!isSandboxMessage(bytes)) return;
        let got: unknown;
        try {
          got = read(bytes);
        } catch {
          return;
        }
        // One level for the message. Its own worth is not what is asked here.
        for (const member of Object.values(got as object)) expect(isPlainData(member, 1_000_000)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_096 }), fc.boolean(), (bytes, headed) => {
        isSandboxMessage(headed ? Buffer.concat([write({ type: 'cancelled', call: 1 }).subarray(0, 8), bytes]) : bytes);
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes linear time, whatever is repeated', () => {
    const start = finished(0).subarray(0, -4);
    for (const repeat of [
      'A\x01',
      'A\xff\xff\x03',
      'o',
      'o"\x01a',
      '"\0',
      '\0',
      'c\0',
      'Z\0',
      '\\\0\x01\0',
      '_',
      'I\x80',
    ]) {
      const bytes = Buffer.concat([
        start,
        Buffer.from('A\x80\x80\x04', 'latin1'),
        Buffer.alloc(4_194_304, repeat, 'latin1'),
      ]);
      const before = process.threadCpuUsage();
      expect(isSandboxMessage(bytes)).toBe(false);
      expect(process.threadCpuUsage(before).user).toBeLessThan(250_000);
    }
  });
});
