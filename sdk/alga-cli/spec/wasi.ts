// What a StarlingMonkey component imports of WASI: real clocks, timers and randomness, output into two strings, no files.

type Write = (text: string) => void;

class Pollable {
  readonly #at: number;
  constructor(at = 0) {
    this.#at = at;
  }
  /** Milliseconds. */
  left(): number {
    return Math.max(0, this.#at - performance.now());
  }
  ready(): boolean {
    return this.left() === 0;
  }
  block(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.left()));
  }
}

async function poll(pollables: readonly Pollable[]): Promise<Uint32Array> {
  for (;;) {
    const ready = [...pollables.keys()].filter((index) => pollables[index]?.ready());
    if (ready.length > 0) return new Uint32Array(ready);
    await new Promise((resolve) => setTimeout(resolve, Math.min(...pollables.map((pollable) => pollable.left()))));
  }
}

class OutputStream {
  readonly #write: Write;
  constructor(write: Write = () => {}) {
    this.#write = write;
  }
  checkWrite(): bigint {
    return 65_536n;
  }
  write(bytes: Uint8Array): void {
    this.#write(new TextDecoder().decode(bytes));
  }
  blockingWriteAndFlush(bytes: Uint8Array): void {
    this.write(bytes);
  }
  flush(): void {}
  blockingFlush(): void {}
  subscribe(): Pollable {
    return new Pollable();
  }
}

/** Imported, and never reached by what the specs do. */
class Unused {}
const unused = (): never => {
  throw new Error('not part of the spec host');
};
const nothing = (): undefined => undefined;

const nanoseconds = (): bigint => process.hrtime.bigint();
const after = (duration: bigint): Pollable => new Pollable(performance.now() + Number(duration) / 1e6);
const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));

/** The import object of WASI 0.2, without versions as jco's glue wants it. */
export function wasi(stdout: Write, stderr: Write) {
  return {
    'wasi:io/error': { Error: Unused },
    'wasi:io/poll': { Pollable, poll },
    'wasi:io/streams': { InputStream: Unused, OutputStream },
    'wasi:clocks/monotonic-clock': {
      now: nanoseconds,
      resolution: () => 1_000_000n,
      subscribeDuration: after,
      subscribeInstant: (at: bigint) => after(at - nanoseconds()),
    },
    'wasi:clocks/wall-clock': {
      now: () => ({ seconds: BigInt(Math.floor(Date.now() / 1000)), nanoseconds: (Date.now() % 1000) * 1e6 }),
      resolution: () => ({ seconds: 0n, nanoseconds: 1e6 }),
    },
    'wasi:random/random': {
      getRandomBytes: (bytes: bigint) => random(Number(bytes)),
      getRandomU64: () => new DataView(random(8).buffer).getBigUint64(0),
    },
    'wasi:cli/stdin': { getStdin: () => new Unused() },
    'wasi:cli/stdout': { getStdout: () => new OutputStream(stdout) },
    'wasi:cli/stderr': { getStderr: () => new OutputStream(stderr) },
    'wasi:cli/terminal-input': { TerminalInput: Unused },
    'wasi:cli/terminal-output': { TerminalOutput: Unused },
    'wasi:cli/terminal-stdin': { getTerminalStdin: nothing },
    'wasi:cli/terminal-stdout': { getTerminalStdout: nothing },
    'wasi:cli/terminal-stderr': { getTerminalStderr: nothing },
    'wasi:filesystem/types': { Descriptor: Unused, DirectoryEntryStream: Unused, filesystemErrorCode: unused },
    'wasi:filesystem/preopens': { getDirectories: () => [] },
  };
}
