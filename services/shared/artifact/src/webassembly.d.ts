// The part of the WebAssembly API that is used here. TypeScript has it in `lib.dom` only, which would bring the browser's
// globals into a server.
declare namespace WebAssembly {
  function validate(bytes: Uint8Array): boolean;
  class Module {
    constructor(bytes: Uint8Array);
    static imports(module: Module): { module: string; name: string; kind: string }[];
    static exports(module: Module): { name: string; kind: string }[];
  }
}
