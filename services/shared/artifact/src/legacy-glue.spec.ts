import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { fakeHost, type Request, SCRATCH, type Stage, startPuppet } from './test-support/legacy-puppet.ts';

const request = (parts: Partial<Request['http']> = {}): Request => ({
  context: { tenantId: 'acme', extensionId: 'old', requestId: 'r1', installId: undefined },
  http: { method: 'POST', url: '/a?b=c', headers: [{ name: 'x-a', value: 'b' }], ...parts },
});

/** Answers with what the test wrote, wherever it says that it lies. */
const answering =
  (respond: (stage: Stage) => readonly [number, number]) =>
  (stage: Stage): readonly ['return', number] => {
    stage.point(stage.out, respond(stage));
    return ['return', 0];
  };

const json = (value: unknown) => answering((stage) => stage.put(JSON.stringify(value)));

const OUTSIDE = 'a pointer or length of the module leads out of its memory';
const PAST_THE_END = 64 * 65_536;
const END_OF_U32 = 0xffff_ffff;

describe('a request', () => {
  const seenBy = async (sent: Request): Promise<unknown> => {
    let seen = '';
    const look = answering((stage) => {
      seen = stage.memory.toString('utf8', stage.request, stage.request + stage.length);
      return stage.put('{"status":200}');
    });
    await (await startPuppet({ moves: [look] }, fakeHost())).handler(sent);
    return JSON.parse(seen);
  };

  it('arrives as JSON, without the members that are not there', async () => {
    expect(await seenBy(request())).toEqual({
      context: { requestId: 'r1', tenantId: 'acme', extensionId: 'old' },
      http: { method: 'POST', url: '/a?b=c', headers: [{ name: 'x-a', value: 'b' }] },
    });
  });

  it('brings any body as the base64 that Buffer reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 70 }), async (body) => {
        const seen = (await seenBy(request({ body }))) as { http: { body_b64: string } };
        expect(seen.http.body_b64).toBe(Buffer.from(body).toString('base64'));
      }),
    );
  });

  it('brings a body of a megabyte, which is more than one call of a function takes as arguments', async () => {
    const body = Buffer.alloc(1_000_001, 'abc');
    const seen = (await seenBy(request({ body }))) as { http: { body_b64: string } };
    expect(seen.http.body_b64 === body.toString('base64')).toBe(true);
  });

  it.each([
    ['outside the memory', () => PAST_THE_END - 4],
    ['that ends outside the memory', () => END_OF_U32],
    ['below zero', () => -1],
  ])('is not written where alloc names a place %s', async (_, alloc) => {
    const instance = await startPuppet({ moves: [json({ status: 200 })], alloc }, fakeHost());
    await expect(instance.handler(request())).rejects.toThrow(OUTSIDE);
  });

  it('is not written where alloc has none', async () => {
    const instance = await startPuppet({ moves: [json({ status: 200 })], alloc: () => 0 }, fakeHost());
    await expect(instance.handler(request())).rejects.toThrow('alloc has no memory');
  });
});

describe('a response', () => {
  const answerTo = async (move: (stage: Stage) => readonly ['return', number]) =>
    (await startPuppet({ moves: [move] }, fakeHost())).handler(request());

  it('is status, headers and body, whatever else the module says', async () => {
    const headers = [{ name: 'a', value: 'ü', more: 1 }];
    expect(await answerTo(json({ status: 201, headers, body_b64: 'AP8=', more: {} }))).toEqual({
      status: 201,
      headers: [{ name: 'a', value: 'ü' }],
      body: new Uint8Array([0, 255]),
    });
  });

  it('has no headers and no body where they are null or absent', async () => {
    expect(await answerTo(json({ status: 204 }))).toEqual({ status: 204, headers: [] });
    expect(await answerTo(json({ status: 204, headers: null, body_b64: null }))).toEqual({ status: 204, headers: [] });
  });

  it('may have any body, as the base64 that Buffer writes, with padding or without', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 70 }), fc.boolean(), async (body, padded) => {
        const text = Buffer.from(body).toString('base64');
        const response = await answerTo(json({ status: 200, body_b64: padded ? text : text.replace(/=+$/, '') }));
        expect(response.body).toEqual(body);
      }),
    );
  });

  it.each([
    'A',
    'AAAAA',
    'AA=',
    'A===',
    '====',
    '=',
    'AA==AA',
    'A A=',
    'AA-_',
    'AAA\n',
    'AAÿ=',
    'AAA\u0100',
    1,
    {},
    [[]],
  ])('is refused with the body %j', async (body_b64) => {
    await expect(answerTo(json({ status: 200, body_b64 }))).rejects.toThrow('the body of the response is not base64');
  });

  it.each<readonly [string, (stage: Stage) => readonly [number, number], string]>([
    ['begins outside the memory', () => [END_OF_U32, 1], OUTSIDE],
    ['ends outside the memory', () => [PAST_THE_END - 1, 2], OUTSIDE],
    ['is longer than any memory', () => [SCRATCH, END_OF_U32], OUTSIDE],
    ['ends past 2^32', () => [END_OF_U32, END_OF_U32], OUTSIDE],
    ['is longer than any response', () => [SCRATCH, 2 * 1024 * 1024 + 1], 'more than 2097152 bytes at once'],
    ['is nothing', () => [SCRATCH, 0], 'the response is not a JSON object'],
    ['is not UTF-8', ({ put }) => put(Uint8Array.of(0x22, 0xff, 0x22)), 'text of the module is not UTF-8'],
    ['is not JSON', ({ put }) => put('{"status":200'), 'the response is not a JSON object'],
    ['has a byte order mark', ({ put }) => put('\ufeff{"status":200}'), 'the response is not a JSON object'],
    ...['null', '[]', '"x"', '1', 'true'].map(
      (text) => [`is ${text}`, ({ put }: Stage) => put(text), 'the response is not a JSON object'] as const,
    ),
    ...['"200"', '-1', '65536', '1.5', 'null', '1e999', '[200]'].map(
      (text) => [`has the status ${text}`, ({ put }: Stage) => put(`{"status":${text}}`), 'the status of'] as const,
    ),
    ...['{}', '1', '[1]', '[null]', '[["a","b"]]', '[{"name":"a"}]', '[{"name":"a","value":1}]'].map(
      (text) =>
        [
          `has the headers ${text}`,
          ({ put }: Stage) => put(`{"status":200,"headers":${text}}`),
          'the headers of',
        ] as const,
    ),
    [
      'has half a surrogate pair in a header',
      ({ put }) => put('{"status":200,"headers":[{"name":"a","value":"\\ud800"}]}'),
      'the headers of',
    ],
  ])('is refused where it %s', async (_, respond, reason) => {
    await expect(answerTo(answering(respond))).rejects.toMatchObject({
      name: 'RuntimeError',
      message: expect.stringContaining(reason),
    });
  });

  it('is not looked at where the handler does not return 0', async () => {
    const failing = (stage: Stage): readonly ['return', number] => [json({ status: 200 })(stage)[0], 1];
    await expect(answerTo(failing)).rejects.toThrow('the handler did not return 0');
  });
});

describe('a host call', () => {
  const FETCH = { url: 'https://api.example/' };
  const fetching =
    (message: unknown) =>
    (stage: Stage): readonly ['fetch', ...number[]] => ['fetch', ...stage.put(JSON.stringify(message)), 64];
  /** Answers with what lies at the pointer that fetch filled in, and what it returned. */
  const showing = answering((stage) => {
    const [at, length] = [stage.memory.readUInt32LE(64), stage.memory.readUInt32LE(68)];
    const answer = stage.memory.toString('utf8', at, at + length);
    const body_b64 = Buffer.from(JSON.stringify({ returned: stage.returned, answer })).toString('base64');
    return stage.put(JSON.stringify({ status: 200, body_b64 }));
  });
  const answerOf = async (message: unknown, host = fakeHost()) => {
    const { body } = await (await startPuppet({ moves: [fetching(message), showing] }, host)).handler(request());
    const { returned, answer } = JSON.parse(Buffer.from(body ?? '').toString()) as { returned: number; answer: string };
    return { returned, answer: answer === '' ? undefined : JSON.parse(answer) };
  };

  it('fetches while the module is suspended, with GET and no headers unless told otherwise', async () => {
    const headers = [{ name: 'etag', value: '1' }];
    const host = fakeHost(() => ({ status: 200, headers, body: Uint8Array.of(0, 255) }));
    expect(await answerOf(FETCH, host)).toEqual({
      returned: 0,
      answer: { ok: true, status: 200, headers, body_b64: 'AP8=' },
    });
    expect(host.fetched).toEqual([{ method: 'GET', url: FETCH.url, headers: [], body: undefined }]);
  });

  it('brings method, headers and body of a fetch to the host', async () => {
    const host = fakeHost();
    const sent = { ...FETCH, method: 'PUT', headers: [{ name: 'a', value: 'b' }], body_b64: 'AP8' };
    expect((await answerOf(sent, host)).answer).toEqual({ ok: true, status: 204, headers: [] });
    const { headers } = sent;
    expect(host.fetched).toEqual([{ method: 'PUT', url: FETCH.url, headers, body: Uint8Array.of(0, 255) }]);
  });

  it("gives the WIT's error to the module", async () => {
    const host = fakeHost(() => {
      throw Object.freeze({ payload: 'not-allowed' });
    });
    expect(await answerOf(FETCH, host)).toEqual({ returned: 0, answer: { ok: false, error: 'not-allowed' } });
  });

  it.each([new Error('a fault of the host'), null, 'payload', Object.create({ payload: 'inherited' })])(
    'ends the call where the host fails otherwise: %j',
    async (fault) => {
      const host = fakeHost(() => {
        throw fault;
      });
      await expect(answerOf(FETCH, host)).rejects.toBe(fault);
    },
  );

  it.each([null, [], {}, { url: 1 }, { ...FETCH, method: 1 }, { ...FETCH, headers: {} }, { ...FETCH, body_b64: '*' }])(
    'fetches nothing for %j, and returns 1',
    async (message) => {
      const host = fakeHost();
      expect(await answerOf(message, host)).toEqual({ returned: 1, answer: undefined });
      expect(host.fetched).toEqual([]);
    },
  );

  it.each<readonly [string, readonly ['fetch' | 'log_info', ...number[]], string]>([
    ['a fetch begins outside the memory', ['fetch', PAST_THE_END, 1, 64], OUTSIDE],
    ['a fetch ends outside the memory', ['fetch', SCRATCH, END_OF_U32, 64], OUTSIDE],
    ["a fetch's answer would lie outside the memory", ['fetch', SCRATCH, 2, PAST_THE_END - 7], OUTSIDE],
    ['a log line ends outside the memory', ['log_info', PAST_THE_END - 1, 2], OUTSIDE],
    ['a log line is larger than all that may be said', ['log_info', 0, 2 * 1024 * 1024 + 1], 'more than 2097152 bytes'],
  ])('ends the call, and reaches no host, where %s', async (_, move, reason) => {
    const host = fakeHost();
    const instance = await startPuppet({ moves: [() => move] }, host);
    await expect(instance.handler(request())).rejects.toThrow(reason);
    expect([host.fetched, host.logs]).toEqual([[], []]);
  });

  it('logs, one line after the other', async () => {
    const host = fakeHost();
    const logging =
      (level: 'log_info' | 'log_error', text: string) =>
      (stage: Stage): readonly ['log_info' | 'log_error', ...number[]] => [level, ...stage.put(text)];
    const moves = [logging('log_info', 'first ü'), logging('log_error', 'second'), json({ status: 200 })];
    await (await startPuppet({ moves }, host)).handler(request());
    expect(host.logs).toEqual(['info first ü', 'error second']);
  });

  it("puts the words of AssemblyScript's abort where an engine's last words go, and ends the call", async () => {
    const host = fakeHost();
    const aborting = ({ memory }: Stage): readonly ['abort', ...number[]] => {
      const word = Buffer.from('out of ü', 'utf16le');
      memory.writeUInt32LE(word.length, 1020);
      word.copy(memory, 1024);
      // The file: a pointer to where no string can be.
      return ['abort', 1024, END_OF_U32, 12, 34];
    };
    const instance = await startPuppet({ moves: [aborting] }, host);
    await expect(instance.handler(request())).rejects.toThrow('abort was called');
    expect(host.stderr).toEqual(['abort: out of ü\n    at :12:34\n']);
  });

  it('cuts the words of an abort that says they are endless', async () => {
    const host = fakeHost();
    const aborting = ({ memory }: Stage): readonly ['abort', ...number[]] => {
      memory.writeUInt32LE(END_OF_U32, 1020);
      return ['abort', 1024, 2, 0, 0];
    };
    const instance = await startPuppet({ moves: [aborting] }, host);
    await expect(instance.handler(request())).rejects.toThrow('abort was called');
    expect(host.stderr).toEqual([`abort: ${'\0'.repeat(1024)}\n    at :0:0\n`]);
  });
});

describe('between calls', () => {
  it('the glue holds nothing: what restore puts back is nothing, and the next call is like the first', async () => {
    const { state, handler } = await startPuppet({ moves: [json({ status: 200 })] }, fakeHost());
    state.save();
    const answers = [];
    for (let call = 0; call < 3; call++) {
      answers.push(await handler(request()));
      expect(state.restore()).toBe(true);
    }
    expect(answers).toEqual(Array(3).fill({ status: 200, headers: [] }));
  });
});

describe('after a call that failed', () => {
  it('an instance is not put back: what the module left behind is not known', async () => {
    const { state, handler } = await startPuppet({ moves: [() => ['return', 1]] }, fakeHost());
    state.save();
    await expect(handler(request())).rejects.toThrow('the handler did not return 0');
    expect(state.restore()).toBe(false);
  });
});

describe('the glue', () => {
  it('is one module that needs nothing but what the realm of a sandbox has', () => {
    const source = readFileSync(new URL('./legacy-glue.js', import.meta.url), 'utf8').replace(/^ *\/\/.*$/gm, '');
    expect(source).toMatch(/^export async function instantiate\(/m);
    expect(source).not.toMatch(/^import |\bimport\(|\b(?:Buffer|atob|btoa|process|require|globalThis|eval|console)\b/m);
  });
});
