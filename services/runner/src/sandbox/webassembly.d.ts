// The part of the WebAssembly API that the sandbox uses. TypeScript has it in `lib.dom` only, which would bring the
// browser's globals into a server.
declare namespace WebAssembly {
  type Imports = Record<string, Record<string, unknown>>;
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, unknown>;
  }
  interface MemoryDescriptor {
    readonly initial: number;
    readonly maximum: number;
    readonly shared?: boolean;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
  }
  class Global {
    private constructor();
    value: unknown;
  }
  class RuntimeError extends Error {}
}
