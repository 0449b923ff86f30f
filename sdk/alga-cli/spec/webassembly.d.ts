// What run-component.ts uses of the WebAssembly API. TypeScript has it in `lib.dom` only, with the whole browser.

declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class RuntimeError extends Error {}
}
