// Runs what the transpiler makes, in the spec's own process: glue, patched modules, reset, as the runner does.
import { fakeHost } from './fake-host.ts';

interface Memory {
  readonly buffer: ArrayBuffer;
}

interface Global {
  value: unknown;
}

interface Api {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Memory: new (limits: { initial: number; maximum: number; shared?: boolean }) => Memory;
}

const { Module, Instance, Memory } = (globalThis as unknown as { readonly WebAssembly: Api }).WebAssembly;

export interface Response {
  readonly status: number;
  readonly body?: Uint8Array;
}

interface Instantiated {
  handler(request: unknown): Promise<Response>;
  readonly state: { save(): void; restore(): boolean };
  /** See {@link run}. */
  dump?(): Readonly<Record<string, unknown>>;
}

interface Artifact {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly entry: string;
  readonly modules: readonly {
    readonly name: string;
    readonly memory: { readonly minPages: number; readonly maxPages: number } | null;
  }[];
}

export interface Running {
  readonly instance: Instantiated;
  call(url: string, body?: string): Promise<Response>;
  /** Memory, globals and glue. @returns what the glue says. */
  reset(): boolean;
  /** Guests trap while the word is negative. */
  readonly interrupt: Int32Array;
}

/**
 * @param edit changes the source of the glue before it is evaluated.
 */
export async function run(artifact: Artifact, edit: (glue: string) => string = (glue) => glue): Promise<Running> {
  const source = edit(new TextDecoder().decode(artifact.files.get(artifact.entry)));
  const glue = (await import(`data:text/javascript;base64,${Buffer.from(source).toString('base64')}`)) as {
    instantiate(
      getCoreModule: (name: string) => object,
      imports: object,
      instantiateCore: (module: object, imports?: object) => object,
    ): Promise<Instantiated>;
  };
  const interrupt = new Memory({ initial: 1, maximum: 1, shared: true });
  const memories: Memory[] = [];
  const globals: Global[] = [];
  const compiled = new Map(
    artifact.modules.map(({ name, memory }) => [
      name,
      { module: new Module(artifact.files.get(name) ?? new Uint8Array()), memory },
    ]),
  );
  const layout = new Map([...compiled.values()].map(({ module, memory }) => [module, memory]));
  const instance = await glue.instantiate(
    (name) => compiled.get(name)?.module ?? {},
    fakeHost(),
    (module, imports = {}) => {
      const own: Record<string, Memory> = { interrupt };
      const pages = layout.get(module);
      if (pages) {
        own.memory = new Memory({ initial: pages.minPages, maximum: pages.maxPages });
        memories.push(own.memory);
      }
      const core = new Instance(module, { ...imports, 'alga:rt': own });
      for (const [name, exported] of Object.entries(core.exports)) {
        if (name.startsWith('alga:g')) globals.push(exported as Global);
      }
      return core;
    },
  );
  const bytes = memories.map(({ buffer }) => new Uint8Array(buffer).slice());
  const values = globals.map(({ value }) => value);
  instance.state.save();
  return {
    instance,
    interrupt: new Int32Array(interrupt.buffer),
    call: (url, body) =>
      instance.handler({
        context: { tenantId: 'acme', extensionId: 'guest', requestId: 'r1' },
        http: { method: 'POST', url, headers: [{ name: 'x-a', value: 'b' }], body: body && Buffer.from(body) },
      }),
    reset() {
      for (const [index, memory] of memories.entries()) new Uint8Array(memory.buffer).set(bytes[index] ?? []);
      for (const [index, global] of globals.entries()) global.value = values[index];
      return instance.state.restore();
    },
  };
}
