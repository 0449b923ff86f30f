import { checkInterface } from './check-interface.ts';
import { componentOf } from './test-support/component.ts';
import { WASI_MINIMUM } from './wasi-minimum.ts';
import { scanComponent } from './wasm/component.ts';

const wit = { name: 'alga:extension', version: '1.0.0' };

async function check(parts: Parameters<typeof componentOf>[0]) {
  const scanned = scanComponent(await componentOf(parts));
  if (!scanned.ok) throw new Error(scanned.message);
  return checkInterface(scanned.imports, scanned.exports, wit);
}

/** A package of WASI with one interface. */
const wasi = (name: string, version: string, content: string) =>
  `package wasi:${name.split('/')[0]}@${version} { interface ${name.split('/')[1]} { ${content} } }`;

describe('what a component may import', () => {
  it('is all that the platform offers, function by function', async () => {
    const world = ['context', 'config', 'secrets', 'http', 'storage', 'logging']
      .map((name) => `import ${name};`)
      .join('\n');
    const checked = await check({ world });
    expect(checked).toMatchObject({ ok: true, imports: expect.arrayContaining(['alga:extension/storage@1.0.0']) });
    expect(checked.ok && checked.functions).toHaveLength(13);
    expect(checked.ok && checked.functions).toContainEqual({ interface: 'storage', function: 'list-entries' });
  });

  it('may be a part of an interface, and nothing at all', async () => {
    const onlyGet = (text: string) =>
      text.replace(/ {2}put: func[^;]*;|list-entries: func[^;]*;|delete: func[^;]*;/g, '');
    expect(await check({ world: 'import storage;', edit: onlyGet })).toMatchObject({
      ok: true,
      functions: [{ interface: 'storage', function: 'get' }],
    });
    expect(await check({})).toMatchObject({ ok: true, imports: ['alga:extension/types@1.0.0'], functions: [] });
  });

  it('may be spelled without a version, as the old package was', async () => {
    const unversioned = (text: string) => text.replace('alga:extension@1.0.0', 'alga:extension');
    expect(await check({ world: 'import secrets;', edit: unversioned })).toMatchObject({
      ok: true,
      imports: ['alga:extension/types', 'alga:extension/secrets'],
      functions: [
        { interface: 'secrets', function: 'get' },
        { interface: 'secrets', function: 'list-keys' },
      ],
    });
  });

  it.each([
    [
      'another version of the package',
      { world: 'import config;', edit: (text: string) => text.replace('extension@1.0.0', 'extension@2.0.0') },
      /alga:extension\/config@2\.0\.0, where this platform has alga:extension 1\.0\.0/,
    ],
    [
      'an interface that the platform does not have, by its functions',
      {
        world: 'import queue;',
        edit: (text: string) => `${text} interface queue { push: func(item: string); pop: func() -> string; }`,
      },
      /alga:extension\/queue@1\.0\.0 \(push; pop\), an interface that alga:extension does not have/,
    ],
    [
      'a function that the interface does not have',
      {
        world: 'import secrets;',
        edit: (text: string) => text.replace('interface secrets {', 'interface secrets { put: func(key: string);'),
      },
      /alga:extension\/secrets@1\.0\.0#put is a function that the interface does not have/,
    ],
    [
      'a function of another result',
      {
        world: 'import storage;',
        edit: (text: string) => text.replace('-> result<u64, storage-error>', '-> result<u32, storage-error>'),
      },
      /storage@1\.0\.0#put has another type here: "u64, enum .*" is expected and "u32, enum .*" found/,
    ],
    [
      'a function whose record has one field less',
      { world: 'import http;', edit: (text: string) => text.replace('    headers: list<http-header>,\n', '') },
      /http@1\.0\.0#fetch has another type here: "headers: list<.*" is expected and "body: option<list<u8>> .*" found/,
    ],
    [
      'a function whose error has its cases in another order',
      { world: 'import config;', edit: (text: string) => text.replace(/denied,\n {4}internal/, 'internal,\n denied') },
      /config@1\.0\.0#get has another type here: "denied, internal .*" is expected and "internal, denied .*" found/,
    ],
    [
      'another package',
      {
        world: 'import other:thing/api;',
        packages: 'package other:thing { interface api { call: func(); } }',
      },
      /other:thing\/api \(call\), which is not part of alga:extension/,
    ],
    ['a function of the world itself', { world: 'import log: func(line: string);' }, /log, which is not an interface/],
    [
      'a part of WASI that guests do not get, by interface and function',
      {
        world: 'import wasi:sockets/network@0.2.0;',
        packages: wasi('sockets/network', '0.2.0', 'instance-network: func() -> u32;'),
      },
      /wasi:sockets\/network@0\.2\.0 \(instance-network\): extensions get no such part of WASI/,
    ],
    [
      'a function of WASI that guests do not get',
      {
        world: 'import wasi:cli/exit@0.2.0;',
        packages: wasi('cli/exit', '0.2.0', 'exit-with-code: func(code: u8);'),
      },
      /wasi:cli\/exit@0\.2\.0#exit-with-code is a function of WASI that extensions do not get/,
    ],
    [
      'another WASI',
      {
        world: 'import wasi:random/random@0.3.0;',
        packages: wasi('random/random', '0.3.0', 'get-random-u64: func() -> u64;'),
      },
      /wasi:random\/random@0\.3\.0: extensions get WASI 0\.2/,
    ],
  ])('is not %s', async (_kind, parts, message) => {
    expect(await check(parts)).toMatchObject({
      ok: false,
      code: 'import_refused',
      message: expect.stringMatching(message),
    });
  });

  it('is the WASI minimum, in any release of 0.2', async () => {
    for (const version of ['0.2.0', '0.2.12']) {
      expect(
        await check({
          world: `import wasi:random/random@${version};`,
          packages: wasi('random/random', version, 'get-random-u64: func() -> u64;'),
        }),
      ).toMatchObject({ ok: true, functions: [] });
    }
    expect(WASI_MINIMUM.get('wasi:io/poll')).toEqual(['poll', '[method]pollable.ready', '[method]pollable.block']);
  });
});

describe('the handler', () => {
  it.each([
    ['is missing', 'export other: func();', /does not export a function named handler/],
    [
      'takes something else',
      'use types.{http-request, execute-response}; export handler: func(request: http-request) -> execute-response;',
      /handler has another type here: "context: record .*" is expected and "method: string.*" found/,
    ],
    [
      'returns nothing',
      'use types.{execute-request}; export handler: func(request: execute-request);',
      /handler has another type here: .* is expected and "nothing" found/,
    ],
  ])('that %s is refused', async (_kind, handler, message) => {
    expect(await check({ handler })).toMatchObject({
      ok: false,
      code: 'no_handler',
      message: expect.stringMatching(message),
    });
  });

  it('may have other exports beside it', async () => {
    const handler = `use types.{execute-request, execute-response};
      export init: func(); export handler: func(request: execute-request) -> execute-response;`;
    expect(await check({ handler })).toMatchObject({ ok: true });
  });
});
