// A host for guests in specs: the platform's functions with fixed answers, and the WASI minimum.
import { setTimeout as wait } from 'node:timers/promises';
import { WASI_MINIMUM } from '../wasi-minimum.ts';

type Functions = Record<string, unknown>;

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const pascal = (name: string): string => camel(`-${name}`);

/** An error of the WIT, as jco takes it. */
const refused = (payload: unknown) => ({ payload });
const bytes = new TextEncoder();

export function fakeHost(): Record<string, Functions> {
  const missing = async () => {
    throw refused('missing');
  };
  const platform: Record<string, Functions> = {
    context: { getContext: async () => ({ tenantId: 'acme', extensionId: 'guest' }) },
    config: { get: async () => '"eu"', getAll: async () => '{"region":"eu"}' },
    secrets: { get: async () => 's3cret', listKeys: async () => ['api_key'] },
    http: {
      fetch: async () => {
        await wait(1);
        return { status: 200, headers: [{ name: 'a', value: 'b' }], body: bytes.encode('fetched') };
      },
    },
    storage: { get: missing, put: async () => 1n, delete: missing, listEntries: async () => ({ entries: [] }) },
    logging: { logInfo: async () => undefined, logWarn: async () => undefined, logError: async () => undefined },
  };
  const named = Object.entries(platform).map(([name, functions]) => [`alga:extension/${name}`, functions]);
  return { ...Object.fromEntries(named), ...wasiHost() };
}

/** Whatever has no answer below refuses. */
function wasiHost(): Record<string, Functions> {
  const interfaces = [...WASI_MINIMUM].map(([name, functions]) => [name, interfaceOf(name, functions)] as const);
  const host = Object.fromEntries(interfaces);
  const resource = (name: string, type: string) => Object.create(prototypeOf(host[name], type)) as object;
  const stream = (type: string) => () => resource('wasi:io/streams', type);
  const pollable = () => resource('wasi:io/poll', 'Pollable');
  Object.assign(host['wasi:io/poll'] ?? {}, { poll: async (all: unknown[]) => Uint32Array.from(all.keys()) });
  Object.assign(host['wasi:clocks/monotonic-clock'] ?? {}, {
    now: () => process.hrtime.bigint(),
    resolution: () => 1_000_000n,
    subscribeInstant: pollable,
    subscribeDuration: pollable,
  });
  Object.assign(host['wasi:clocks/wall-clock'] ?? {}, { now: () => ({ seconds: 1n, nanoseconds: 0 }) });
  Object.assign(host['wasi:random/random'] ?? {}, {
    getRandomBytes: (length: bigint) => crypto.getRandomValues(new Uint8Array(Number(length))),
    getRandomU64: () => 4n,
  });
  Object.assign(host['wasi:random/insecure-seed'] ?? {}, { insecureSeed: () => [1n, 2n] });
  Object.assign(host['wasi:cli/environment'] ?? {}, { getEnvironment: () => [], getArguments: () => [] });
  Object.assign(host['wasi:cli/stdin'] ?? {}, { getStdin: stream('InputStream') });
  Object.assign(host['wasi:cli/stdout'] ?? {}, { getStdout: stream('OutputStream') });
  Object.assign(host['wasi:cli/stderr'] ?? {}, { getStderr: stream('OutputStream') });
  for (const name of ['stdin', 'stdout', 'stderr']) {
    Object.assign(host[`wasi:cli/terminal-${name}`] ?? {}, { [camel(`get-terminal-${name}`)]: () => undefined });
  }
  Object.assign(host['wasi:filesystem/preopens'] ?? {}, { getDirectories: () => [] });
  return host;
}

function prototypeOf(functions: Functions | undefined, type: string): object {
  return (functions?.[type] as { readonly prototype: object } | undefined)?.prototype ?? {};
}

const METHODS: Functions = {
  checkWrite: () => 65_536n,
  write() {},
  flush() {},
  blockingFlush() {},
  blockingWriteAndFlush() {},
  ready: () => true,
  async block() {},
};

/** Types without a method. */
const RESOURCES: Readonly<Record<string, string>> = {
  'wasi:cli/terminal-input': 'TerminalInput',
  'wasi:cli/terminal-output': 'TerminalOutput',
};

function interfaceOf(name: string, functions: readonly string[]): Functions {
  const result: Functions = {};
  const only = RESOURCES[name];
  if (only !== undefined) result[only] = class {};
  for (const each of functions) {
    const [, type, method] = /^\[method\]([^.]+)\.(.+)$/.exec(each) ?? [];
    if (type === undefined || method === undefined) {
      result[camel(each)] = () => {
        throw refused('access');
      };
      continue;
    }
    const key = camel(method);
    result[pascal(type)] ??= class {};
    Object.assign(prototypeOf(result, pascal(type)), {
      [key]:
        METHODS[key] ??
        (() => {
          throw refused(type.endsWith('stream') ? { tag: 'closed' } : 'access');
        }),
    });
  }
  return result;
}
