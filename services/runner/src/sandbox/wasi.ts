// The WASI 0.2 that guests get: clocks of 1 ms, real randomness, stdio to the guest's log, timers. Files, environment and
// terminals are there because libraries import them, and empty. Nothing of preview2-shim, which would hand out the machine.
// What is listed here is what the registry lets a component import (wasi-minimum in the artifact package); a spec compares.
import { monotonicMs } from './interruption.ts';
import type { OutputStreamName } from './protocol.ts';

const NS_PER_MS = 1_000_000n;
/** A guest that wants more at once asks again; without a bound one call could hold the thread. */
const MAX_RANDOM_BYTES = 1_048_576n;
/** The most that `crypto.getRandomValues` fills at once. */
const RANDOM_CHUNK = 65_536;
const WRITE_WINDOW = 65_536n;
/** What a handle costs: its object here, and its entries in the tables of the glue. */
const HANDLE_BYTES = 64;

export interface WasiHost {
  /** Takes what the guest of the running turn writes. */
  write(stream: OutputStreamName, bytes: Uint8Array): void;
  /** Charges the call of the running turn; throws where it has nothing left. */
  charge(bytes: number): void;
  /** Suspends the guest of the running turn, until its deadline at most. */
  sleep(ms: number): Promise<void>;
  /** Ends the call of the running turn. */
  abort(): void;
}

type Interfaces = Readonly<Record<string, object>>;

/** What guests hold handles of. Glue makes objects of it too: for a handle that was never given out, one without fields. */
export class Handle {}

/** The import objects by interface, as jco's glue names them: without a version. */
export function wasiImports(host: WasiHost): Interfaces {
  const imports = Object.create(null) as Record<string, object>;
  for (const [name, functions] of Object.entries({ ...inTurn(host), ...CLOCKS, ...RANDOM, ...FILESYSTEM })) {
    imports[name] = Object.freeze(Object.assign(Object.create(null) as object, functions));
  }
  return imports;
}

/** An error value of the WIT, in the form in which glue takes it: an own `payload`. */
const failure = (payload: unknown): object => Object.freeze({ __proto__: null, payload });

/** What is done to the guest of the running turn. */
function inTurn(host: WasiHost): Interfaces {
  const { write } = host;
  /** Handles are the guest's to make as it likes: each is charged, so that they are bounded in number. */
  class Charged extends Handle {
    constructor() {
      super();
      host.charge(HANDLE_BYTES);
    }
  }
  const Pollable = pollableClass(host, Charged);
  type Pollable = InstanceType<typeof Pollable>;
  const closed = (): never => {
    throw failure({ tag: 'closed' });
  };
  /** Nothing is ever to be read. */
  class InputStream extends Charged {
    read(): never {
      return closed();
    }
    blockingRead(): never {
      return closed();
    }
    skip(): never {
      return closed();
    }
    blockingSkip(): never {
      return closed();
    }
    subscribe(): Pollable {
      return new Pollable();
    }
  }
  class OutputStream extends Charged {
    readonly #name: OutputStreamName;
    constructor(name: OutputStreamName) {
      super();
      this.#name = name;
    }
    checkWrite(): bigint {
      return this.#name === undefined ? 0n : WRITE_WINDOW;
    }
    write(bytes: Uint8Array): void {
      write(this.#name, bytes);
    }
    blockingWriteAndFlush(bytes: Uint8Array): void {
      write(this.#name, bytes);
    }
    flush(): void {}
    blockingFlush(): void {}
    subscribe(): Pollable {
      return new Pollable();
    }
  }
  return {
    'wasi:io/error': { Error: IoError },
    'wasi:io/poll': {
      Pollable,
      async poll(pollables: readonly Pollable[]): Promise<Uint32Array> {
        await Pollable.wait(pollables);
        return Uint32Array.from(pollables.flatMap((pollable, index) => (pollable.ready() ? [index] : [])));
      },
    },
    'wasi:io/streams': { InputStream, OutputStream },
    'wasi:clocks/monotonic-clock': {
      now: monotonicNow,
      resolution: () => NS_PER_MS,
      subscribeDuration: (ns: bigint) => new Pollable(monotonicMs() + Number(ns / NS_PER_MS)),
      subscribeInstant: (ns: bigint) => new Pollable(Number(ns / NS_PER_MS)),
    },
    'wasi:cli/stdin': { getStdin: () => new InputStream() },
    'wasi:cli/stdout': { getStdout: () => new OutputStream('stdout') },
    'wasi:cli/stderr': { getStderr: () => new OutputStream('stderr') },
    'wasi:cli/environment': { getEnvironment: () => [], getArguments: () => [], initialCwd: () => undefined },
    'wasi:cli/exit': { exit: leave },
    'wasi:cli/terminal-input': { TerminalInput },
    'wasi:cli/terminal-output': { TerminalOutput },
    'wasi:cli/terminal-stdin': { getTerminalStdin: () => undefined },
    'wasi:cli/terminal-stdout': { getTerminalStdout: () => undefined },
    'wasi:cli/terminal-stderr': { getTerminalStderr: () => undefined },
  };
}

/** The class of what can be waited for. */
function pollableClass(host: WasiHost, Charged: new () => Handle) {
  /**
   * Ready at a time on the monotonic clock, in ms. For a handle that was never given out, jco makes an object that has this
   * prototype and nothing else: the private field is what such an object lacks, so that using it fails.
   */
  return class Pollable extends Charged {
    readonly #dueMs: number;
    constructor(dueMs = 0) {
      super();
      this.#dueMs = dueMs;
    }
    static async wait(pollables: readonly Pollable[]): Promise<void> {
      try {
        if (pollables.length === 0) throw new Error('the guest waits for nothing');
        let dueMs = Number.POSITIVE_INFINITY;
        for (const pollable of pollables) dueMs = Math.min(dueMs, pollable.#dueMs);
        // A timer of Node may ring a moment early.
        for (let waitMs = dueMs - monotonicMs(); waitMs > 0; waitMs = dueMs - monotonicMs()) {
          await host.sleep(waitMs);
        }
      } catch (error) {
        // Neither function that waits has a WIT result: jco would leave the guest suspended for ever.
        host.abort();
        throw error;
      }
    }
    ready(): boolean {
      return monotonicMs() >= this.#dueMs;
    }
    block(): Promise<void> {
      return Pollable.wait([this]);
    }
  };
}

class IoError {
  toDebugString(): string {
    return 'error';
  }
}

// Types without a value: no function gives one out.
class TerminalInput {}
class TerminalOutput {}
class DirectoryEntryStream {
  readDirectoryEntry(): never {
    throw failure('access');
  }
}
class Descriptor {}

function leave(): never {
  throw new Error('the guest called exit');
}

/** Whole milliseconds: finer clocks are for measuring neighbours. */
function monotonicNow(): bigint {
  return BigInt(Math.floor(monotonicMs())) * NS_PER_MS;
}

const CLOCKS: Interfaces = {
  'wasi:clocks/wall-clock': {
    now: () => {
      const ms = Date.now();
      return { seconds: BigInt(Math.floor(ms / 1_000)), nanoseconds: (ms % 1_000) * 1_000_000 };
    },
    resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }),
  },
};

function randomBytes(length: bigint): Uint8Array {
  if (length > MAX_RANDOM_BYTES) throw new Error('the guest asks for too many random bytes');
  const bytes = new Uint8Array(Number(length));
  for (let at = 0; at < bytes.length; at += RANDOM_CHUNK) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_CHUNK));
  return bytes;
}

const randomU64 = (): bigint => crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;

const RANDOM: Interfaces = {
  'wasi:random/random': { getRandomBytes: randomBytes, getRandomU64: randomU64 },
  'wasi:random/insecure': { getInsecureRandomBytes: randomBytes, getInsecureRandomU64: randomU64 },
  'wasi:random/insecure-seed': { insecureSeed: () => [randomU64(), randomU64()] },
};

const DESCRIPTOR_METHODS = [
  'readViaStream',
  'writeViaStream',
  'appendViaStream',
  'advise',
  'syncData',
  'getFlags',
  'getType',
  'setSize',
  'setTimes',
  'read',
  'write',
  'readDirectory',
  'sync',
  'createDirectoryAt',
  'stat',
  'statAt',
  'setTimesAt',
  'linkAt',
  'openAt',
  'readlinkAt',
  'removeDirectoryAt',
  'renameAt',
  'symlinkAt',
  'unlinkFileAt',
  'isSameObject',
  'metadataHash',
  'metadataHashAt',
];
for (const name of DESCRIPTOR_METHODS) {
  Object.defineProperty(Descriptor.prototype, name, {
    value: () => {
      throw failure('access');
    },
  });
}

const FILESYSTEM: Interfaces = {
  'wasi:filesystem/types': { Descriptor, DirectoryEntryStream, filesystemErrorCode: () => undefined },
  'wasi:filesystem/preopens': { getDirectories: () => [] },
};
