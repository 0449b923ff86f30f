import { WASI_MINIMUM } from '@alga/artifact';
import { type WasiHost, wasiImports } from './wasi.ts';

type Fn = (...args: unknown[]) => unknown;

const written: string[] = [];
const slept: number[] = [];
let aborted = 0;
let charged = 0;

const host: WasiHost = {
  write: (stream, bytes) => written.push(`${stream} ${new TextDecoder().decode(bytes)}`),
  charge: (bytes) => {
    charged += bytes;
  },
  sleep: async (ms) => {
    slept.push(ms);
    await new Promise((resolve) => setTimeout(resolve, ms));
  },
  abort: () => {
    aborted += 1;
  },
};
const imports = wasiImports(host) as Record<string, Record<string, Fn & { prototype: Record<string, Fn> }>>;

beforeEach(() => {
  written.length = 0;
  slept.length = 0;
  aborted = 0;
  charged = 0;
});

const camel = (name: string): string => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
const pascal = (name: string): string => camel(`-${name}`);

/** As the glue looks it up: a function, or a method of a class. */
function find(name: string, fn: string): unknown {
  const functions = imports[name];
  const method = /^\[method\](.+)\.(.+)$/.exec(fn);
  if (method === null) return functions?.[camel(fn)];
  return functions?.[pascal(method[1] ?? '')]?.prototype[camel(method[2] ?? '')];
}

describe('the WASI of guests', () => {
  it('offers every function that the registry lets a component import', () => {
    const missing = [...WASI_MINIMUM].flatMap(([name, functions]) =>
      functions.filter((fn) => typeof find(name, fn) !== 'function').map((fn) => `${name} ${fn}`),
    );
    expect(missing).toEqual([]);
  });

  it('offers no interface beside them', () => {
    expect(Object.keys(imports).sort()).toEqual([...WASI_MINIMUM.keys()].sort());
  });

  it('cannot be changed by whoever holds it', () => {
    for (const functions of Object.values(imports)) {
      expect(Object.getPrototypeOf(functions)).toBeNull();
      expect(Object.isFrozen(functions)).toBe(true);
    }
  });

  it('tells the time in whole milliseconds', () => {
    const now = imports['wasi:clocks/monotonic-clock']?.now?.() as bigint;
    expect(now % 1_000_000n).toBe(0n);
    const wall = imports['wasi:clocks/wall-clock']?.now?.() as { seconds: bigint; nanoseconds: number };
    expect(wall.nanoseconds % 1_000_000).toBe(0);
    expect(Math.abs(Number(wall.seconds) - Date.now() / 1_000)).toBeLessThan(2);
  });

  it('draws real random bytes of any length up to a MiB, and refuses more', () => {
    const draw = imports['wasi:random/random']?.getRandomBytes as (length: bigint) => Uint8Array;
    const bytes = draw(200_000n);
    expect(bytes.length).toBe(200_000);
    // Each 64 KiB is drawn on its own: none may have been left out.
    for (let at = 0; at < bytes.length; at += 50_000)
      expect(new Set(bytes.subarray(at, at + 1_000)).size).toBeGreaterThan(200);
    expect(() => draw(1_048_577n)).toThrow('too many random bytes');
    expect(() => draw(1n << 63n)).toThrow('too many random bytes');
  });

  it('hands on what is written, by stream', () => {
    const stream = imports['wasi:cli/stderr']?.getStderr?.() as { blockingWriteAndFlush(bytes: Uint8Array): void };
    stream.blockingWriteAndFlush(new TextEncoder().encode('oh'));
    expect(written).toEqual(['stderr oh']);
  });

  it('waits for the earliest of several times, and says which have come', async () => {
    const after = imports['wasi:clocks/monotonic-clock']?.subscribeDuration as (ns: bigint) => object;
    const poll = imports['wasi:io/poll']?.poll as (list: object[]) => Promise<Uint32Array>;
    expect([...(await poll([after(60_000_000_000n), after(20_000_000n)]))]).toEqual([1]);
    expect(slept[0]).toBeLessThanOrEqual(20);
  });

  it('charges for each handle that it makes', () => {
    const getStderr = imports['wasi:cli/stderr']?.getStderr as () => { subscribe(): object };
    const getStdin = imports['wasi:cli/stdin']?.getStdin as () => { subscribe(): object };
    getStderr().subscribe();
    getStdin().subscribe();
    imports['wasi:clocks/monotonic-clock']?.subscribeInstant?.(0n);
    expect(charged).toBe(5 * 64);
  });

  it('ends the call of a guest that uses a handle it was never given, or waits for nothing', async () => {
    // What glue makes of an unknown handle: the prototype and nothing else.
    const forged = Object.create(imports['wasi:io/poll']?.Pollable?.prototype ?? {}) as { block(): Promise<void> };
    await expect(forged.block()).rejects.toThrow(TypeError);
    await expect(imports['wasi:io/poll']?.poll?.([]) as Promise<unknown>).rejects.toThrow('waits for nothing');
    expect(aborted).toBe(2);
    const output = Object.create(imports['wasi:io/streams']?.OutputStream?.prototype ?? {}) as Record<string, Fn>;
    expect(() => output.write?.(new Uint8Array())).toThrow(TypeError);
    expect(() => output.checkWrite?.()).toThrow(TypeError);
  });

  it('has no files', () => {
    expect(imports['wasi:filesystem/preopens']?.getDirectories?.()).toEqual([]);
    const open = imports['wasi:filesystem/types']?.Descriptor?.prototype.openAt;
    let thrown: unknown;
    try {
      open?.();
    } catch (error) {
      thrown = error;
    }
    expect((thrown as { payload?: unknown }).payload).toBe('access');
  });
});
