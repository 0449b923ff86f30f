import { readFileSync } from 'node:fs';
import { OUTPUT_PATH, parseWit, render, renderSurface } from './generate-capabilities.ts';

const WIT = `package alga:extension@2.3.4;

/// Some words: func() in a comment is no function.
interface types {
  record pair { a: u8, b: u8 }
}

interface secrets {
  use types.{pair};

  /// Reads.
  /// @capability secrets.get
  get-all: func(key: string) -> result<string>;

  /* a comment
     of two lines */
  /// @capability secrets.list
  list-keys: func(
    after: option<string>,
  ) -> list<string>;
}

/// @capability logging.write
interface logging {
  log-info: func(message: string);
  /// @capability logging.shout
  log-error: func(message: string);
}

interface unused {
  nobody-asks: func();
}

world extension {
  import secrets;
  import logging;
  export handler: func();
}
`;

const withLine = (search: string, replacement: string): string => {
  if (!WIT.includes(search)) throw new Error(`the fixture has no "${search}"`);
  return WIT.replace(search, replacement);
};

describe('parseWit', () => {
  it('lists the functions of the interfaces that the world imports, in their order, with their capabilities', () => {
    expect(parseWit(WIT)).toEqual({
      package: 'alga:extension',
      version: '2.3.4',
      hostFunctions: [
        { interface: 'secrets', function: 'getAll', witFunction: 'get-all', capability: 'secrets.get' },
        { interface: 'secrets', function: 'listKeys', witFunction: 'list-keys', capability: 'secrets.list' },
        { interface: 'logging', function: 'logInfo', witFunction: 'log-info', capability: 'logging.write' },
        { interface: 'logging', function: 'logError', witFunction: 'log-error', capability: 'logging.shout' },
      ],
    });
  });

  it.each<{ what: string; wit: string; at: string; reason: RegExp }>([
    {
      what: 'a function without a capability',
      wit: withLine('  /// @capability secrets.get\n', ''),
      at: '  get-all:',
      reason: /"get-all" has no/,
    },
    {
      what: 'a misspelt annotation',
      wit: withLine('@capability secrets.get', '@capabilty secrets.get'),
      at: '@capabilty',
      reason: /spelt/,
    },
    {
      what: 'a capability without a verb',
      wit: withLine('@capability secrets.get', '@capability secrets'),
      at: '@capability secrets\n',
      reason: /"secrets"/,
    },
    {
      what: 'a capability with capitals',
      wit: withLine('@capability secrets.get', '@capability Secrets.get'),
      at: '@capability Secrets.get',
      reason: /"Secrets.get"/,
    },
    {
      what: 'an empty capability',
      wit: withLine('@capability secrets.get', '@capability'),
      at: '@capability\n',
      reason: /""/,
    },
    {
      what: 'two capabilities on one function',
      wit: withLine('/// Reads.', '/// @capability a.b'),
      at: '@capability secrets.get',
      reason: /second capability/,
    },
    {
      what: 'a capability on a record',
      wit: withLine('  record', '  /// @capability a.b\n  record'),
      at: '@capability a.b',
      reason: /no function/,
    },
    {
      what: 'a resource',
      wit: withLine('interface unused {', 'interface unused {\n  resource r {\n  }'),
      at: '  resource r',
      reason: /resources/,
    },
    {
      what: 'a function directly in the world',
      wit: withLine('  import secrets;', '  import get: func();'),
      at: '  import get',
      reason: /only interfaces/,
    },
    {
      what: 'an import of another package',
      wit: withLine('  import secrets;', '  import wasi:io/poll@0.2.0;'),
      at: '  import wasi',
      reason: /only interfaces/,
    },
    {
      what: 'an import of an unknown interface',
      wit: withLine('  import secrets;', '  import secret;'),
      at: '  import secret;',
      reason: /"secret"/,
    },
    {
      what: 'an interface on one line',
      wit: withLine('interface unused {', 'interface x { f: func(); }\ninterface unused {'),
      at: 'interface x',
      reason: /lines of its own/,
    },
    { what: 'a package without a version', wit: withLine('@2.3.4', ''), at: 'package', reason: /version/ },
    { what: 'no package', wit: withLine('package alga:extension@2.3.4;', ''), at: '', reason: /package/ },
  ])('refuses $what, naming the line', ({ wit, at, reason }) => {
    const line = wit.slice(0, wit.indexOf(at)).split('\n').length;
    expect(() => parseWit(wit, 'w.wit')).toThrow(reason);
    expect(() => parseWit(wit, 'w.wit')).toThrow(new RegExp(`^w\\.wit:${line}: `));
  });
});

describe('renderSurface', () => {
  it('lists each capability once, sorted', () => {
    const fn = { interface: 'a', function: 'b', witFunction: 'b' };
    const text = renderSurface({
      package: 'x:y',
      version: '1.0.0',
      hostFunctions: ['z.z', 'a.a', 'z.z'].map((capability) => ({ ...fn, capability })),
    });
    expect(text).toContain("CAPABILITIES: readonly string[] = [\n  'a.a',\n  'z.z',\n];");
  });
});

describe('render', () => {
  it('gives what stands in contracts/src/generated/capabilities.ts', () => {
    expect(readFileSync(OUTPUT_PATH, 'utf8')).toBe(render());
  });
});
