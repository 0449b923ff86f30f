// A legacy core module whose every move a test decides, run by the glue that is signed into artifacts.
import { parse } from '@bytecodealliance/jco-transpile/wasm-tools';

/** What the tests use of the WebAssembly API. TypeScript has it in `lib.dom` only, with the whole browser. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: {
    initial: number;
    maximum: number;
    shared?: boolean;
  }) => {
    readonly buffer: ArrayBufferLike;
  };
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
}
const { Module, Instance, Memory } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

interface Header {
  readonly name: string;
  readonly value: string;
}

export interface Response {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body?: Uint8Array;
}

export interface Request {
  readonly context: Readonly<Record<string, string | undefined>>;
  readonly http: {
    readonly method: string;
    readonly url: string;
    readonly headers: readonly Header[];
    readonly body?: Uint8Array | undefined;
  };
}

interface GlueInstance {
  handler(request: Request): Promise<Response>;
  readonly state: { save(): void; restore(): boolean };
}

interface Glue {
  instantiate(
    getCoreModule: (name: string) => object,
    imports: Readonly<Record<string, object>>,
    instantiateCore: (module: object, imports: object) => { readonly exports: Record<string, unknown> },
  ): Promise<GlueInstance>;
}

/** Not a literal: there are no types to be found behind it. */
const GLUE: string = '../legacy-glue.js';

/** What the host heard, and what it answers to a fetch. */
export interface FakeHost {
  readonly logs: string[];
  readonly fetched: unknown[];
  readonly stderr: string[];
  readonly imports: Readonly<Record<string, object>>;
}

/** Every function answers a turn of the event loop later, as the platform's do. */
export function fakeHost(fetch: (request: unknown) => unknown = () => ({ status: 204, headers: [] })): FakeHost {
  const logs: string[] = [];
  const fetched: unknown[] = [];
  const stderr: string[] = [];
  const decoder = new TextDecoder();
  const later = () => new Promise<void>((resolve) => setImmediate(resolve));
  const log = (level: string) => async (text: string) => {
    await later();
    logs.push(`${level} ${text}`);
  };
  const stream = { blockingWriteAndFlush: (bytes: Uint8Array) => void stderr.push(decoder.decode(bytes)) };
  const imports = {
    'wasi:cli/stderr': { getStderr: () => stream },
    'alga:extension/logging': { logInfo: log('info'), logError: log('error') },
    'alga:extension/http': {
      fetch: async (request: unknown) => {
        await later();
        fetched.push(request);
        return fetch(request);
      },
    },
  };
  return { logs, fetched, stderr, imports };
}

/**
 * An instance of any legacy module.
 * @param more imports beside those of the ABI.
 */
export async function runLegacy(
  wasm: Uint8Array,
  { imports }: FakeHost,
  more: Readonly<Record<string, object>> = {},
): Promise<GlueInstance> {
  const { instantiate } = (await import(GLUE)) as Glue;
  const module = new Module(wasm);
  return instantiate(
    (name) => (name === 'component.core.wasm' ? module : {}),
    imports,
    (core, coreImports) => new Instance(core, { ...coreImports, ...more }),
  );
}

/** What a sandbox gives to a patched module. The first word of `interrupt` stops the guest where it is negative. */
export function sandboxMemories(minPages: number, maxPages: number) {
  return {
    memory: new Memory({ initial: minPages, maximum: maxPages }),
    interrupt: new Memory({ initial: 1, maximum: 1, shared: true }),
  };
}

// `step` decides what `handler` does next: 0 returns the word at 16; 1, 2 log and 3 fetches with the words at 16, 20
// and 24 as arguments, and leaves the result at 28; 4 aborts with the words from 16 on.
const PUPPET = `(module
  (import "alga" "log_info" (func $info (param i32 i32)))
  (import "alga" "log_error" (func $error (param i32 i32)))
  (import "alga.http" "fetch" (func $fetch (param i32 i32 i32) (result i32)))
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (import "spec" "step" (func $step (param i32 i32 i32) (result i32)))
  (import "spec" "alloc" (func $alloc (param i32) (result i32)))
  (memory (export "memory") 64)
  (export "alloc" (func $alloc))
  (func $arg (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "handler") (param $request i32) (param $length i32) (param $out i32) (result i32)
    (local $op i32)
    (loop $next
      (local.set $op (call $step (local.get $request) (local.get $length) (local.get $out)))
      (if (i32.eq (local.get $op) (i32.const 0)) (then (return (call $arg (i32.const 16)))))
      (if (i32.eq (local.get $op) (i32.const 1))
        (then (call $info (call $arg (i32.const 16)) (call $arg (i32.const 20)))))
      (if (i32.eq (local.get $op) (i32.const 2))
        (then (call $error (call $arg (i32.const 16)) (call $arg (i32.const 20)))))
      (if (i32.eq (local.get $op) (i32.const 3))
        (then (i32.store (i32.const 28)
          (call $fetch (call $arg (i32.const 16)) (call $arg (i32.const 20)) (call $arg (i32.const 24))))))
      (if (i32.eq (local.get $op) (i32.const 4))
        (then (call $abort (call $arg (i32.const 16)) (call $arg (i32.const 20)) (call $arg (i32.const 24)) (call $arg (i32.const 28)))))
      (br $next))
    (unreachable)))`;

/** Where a test writes what the puppet names; `alloc` gives what lies above. */
export const SCRATCH = 1024;
const HEAP = 1024 * 1024;
const OPS = { return: 0, log_info: 1, log_error: 2, fetch: 3, abort: 4 } as const;

type Move = readonly [keyof typeof OPS, ...args: number[]];

/** The memory, and how a handler was called. */
export interface Stage {
  readonly memory: Buffer;
  readonly request: number;
  readonly length: number;
  readonly out: number;
  /** What the last `fetch` returned. */
  readonly returned: number;
  /** Writes text or bytes at SCRATCH, and says where they lie. */
  put(content: string | Uint8Array): readonly [number, number];
  /** Points a word pair to a region. */
  point(out: number, region: readonly [number, number]): void;
}

interface Script {
  /** The moves of one call; each sees the memory as it is when its turn comes. */
  readonly moves: readonly ((stage: Stage) => Move)[];
  readonly alloc?: (length: number) => number;
}

let puppet: Promise<Uint8Array> | undefined;

/** An instance that makes the moves in each call. */
export async function startPuppet({ moves, alloc }: Script, host: FakeHost): Promise<GlueInstance> {
  puppet ??= parse(PUPPET);
  let exported: { readonly memory: { readonly buffer: ArrayBuffer } } | undefined;
  let top = HEAP;
  let turn = 0;
  const spec = {
    alloc: (length: number) => {
      if (alloc !== undefined) return alloc(length);
      top += length;
      return top - length;
    },
    step: (request: number, length: number, out: number) => {
      const memory = Buffer.from(exported?.memory.buffer ?? new ArrayBuffer(0));
      const stage: Stage = {
        memory,
        request,
        length,
        out,
        returned: memory.readInt32LE(28),
        put(content) {
          const bytes = Buffer.from(content as Uint8Array);
          bytes.copy(memory, SCRATCH);
          return [SCRATCH, bytes.length];
        },
        point(at, [pointer, size]) {
          memory.writeUInt32LE(pointer >>> 0, at);
          memory.writeUInt32LE(size >>> 0, at + 4);
        },
      };
      const [name, ...args] = moves[turn++ % moves.length]?.(stage) ?? ['return', 0];
      for (const [index, arg] of args.entries()) memory.writeUInt32LE(arg >>> 0, 16 + 4 * index);
      return OPS[name];
    },
  };
  const { instantiate } = (await import(GLUE)) as Glue;
  const module = new Module(await puppet);
  return instantiate(
    () => module,
    host.imports,
    (core, coreImports) => {
      const instance = new Instance(core, { ...coreImports, spec });
      exported = instance.exports as unknown as typeof exported;
      return instance;
    },
  );
}
