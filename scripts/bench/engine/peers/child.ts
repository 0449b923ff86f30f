/// <reference path="../../../../services/runner/src/sandbox/webassembly.d.ts" />
// Each peer in a process of its own, as it comes: no permission model, no flags of ours.
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { GuestRequest } from '../../../../services/runner/src/sandbox/protocol.ts';
import { wasiImports } from '../../../../services/runner/src/sandbox/wasi.ts';
import { answerCommands } from '../commands.ts';

const WARM_UP = 50;
const SECRET = 's3cr3t-value-of-a-key';
/** As the limit of our guests. */
const ISOLATE_MB = 64;

/** The same work as the guests do for the same request. */
const SCRIPT = `globalThis.handle = (text) => {
  const { http } = JSON.parse(text);
  const reads = Number(http.url.slice(http.url.indexOf('=') + 1));
  for (let index = 0; index < reads; index++) getSecret('api_key');
  return JSON.stringify({ read: reads });
};`;
const ANSWER = '{"read":1}';

async function timesOf(samples: number, work: () => Promise<string>): Promise<number[]> {
  const times: number[] = [];
  for (let sample = -WARM_UP; sample < samples; sample++) {
    const started = performance.now();
    const answer = await work();
    if (sample >= 0) times.push(performance.now() - started);
    if (answer !== ANSWER) throw new Error(`the peer answered ${answer}`);
    // Processes that have nothing else to do collect what has been left by then, too.
    await new Promise(setImmediate);
  }
  return times;
}

interface Extism {
  createPlugin(
    manifest: { readonly wasm: readonly { readonly module: WebAssembly.Module }[] },
    options: object,
  ): Promise<{ call(name: string, input: string): Promise<{ text(): string } | null>; close(): Promise<void> }>;
}

/**
 * A fresh plugin per call, from a module that is compiled once.
 * @param runInWorker what it takes for a host function to be asynchronous.
 */
async function extism(
  file: string,
  plugin: Uint8Array,
  request: GuestRequest,
  samples: number,
  runInWorker: boolean,
): Promise<number[]> {
  const { createPlugin } = (await import(pathToFileURL(file).href)) as Extism;
  const module = new WebAssembly.Module(Uint8Array.from(plugin));
  const functions = {
    'extism:host/user': { secret_get: (context: { store(value: string): bigint }) => context.store(SECRET) },
  };
  return timesOf(samples, async () => {
    const instance = await createPlugin({ wasm: [{ module }] }, { useWasi: false, functions, runInWorker });
    const output = await instance.call('handle', JSON.stringify(request));
    const answer = output?.text() ?? '';
    await instance.close();
    return answer;
  });
}

interface IsolatedVm {
  readonly Callback: new (fn: () => string) => object;
  readonly Isolate: new (options: {
    memoryLimit: number;
  }) => {
    createContextSync(): {
      readonly global: {
        setSync(name: string, value: object): void;
        getSync(
          name: string,
          options: object,
        ): { applySync(receiver: undefined, args: string[], options: object): string };
      };
    };
    compileScriptSync(source: string): { runSync(context: object): void };
    dispose(): void;
  };
}

/** A fresh isolate per call. Everything is synchronous, which is the fastest way that it offers. */
async function isolatedVm(file: string, request: GuestRequest, samples: number): Promise<number[]> {
  const { default: ivm } = (await import(pathToFileURL(file).href)) as { default: IsolatedVm };
  return timesOf(samples, async () => {
    const isolate = new ivm.Isolate({ memoryLimit: ISOLATE_MB });
    const context = isolate.createContextSync();
    context.global.setSync('getSecret', new ivm.Callback(() => SECRET));
    isolate.compileScriptSync(SCRIPT).runSync(context);
    const handle = context.global.getSync('handle', { reference: true });
    const answer = handle.applySync(undefined, [JSON.stringify(request)], { result: { copy: true } });
    isolate.dispose();
    return answer;
  });
}

interface JcoGlue {
  instantiate(
    getCoreModule: (name: string) => WebAssembly.Module,
    imports: object,
    instantiateCore: (module: WebAssembly.Module, imports: WebAssembly.Imports) => WebAssembly.Instance,
  ): Promise<{ handler(request: GuestRequest): Promise<{ readonly body?: Uint8Array }> }>;
}

/** A fresh instance per call, of the component as jco transpiles it, from modules that are compiled once. */
async function jco(file: string, modules: Map<string, Uint8Array>, request: GuestRequest, samples: number) {
  const { instantiate } = (await import(pathToFileURL(file).href)) as JcoGlue;
  const compiled = new Map([...modules].map(([name, bytes]) => [name, new WebAssembly.Module(Uint8Array.from(bytes))]));
  const nothing = (): void => undefined;
  const wasi = wasiImports({ write: nothing, charge: nothing, sleep: (ms) => wait(ms), abort: nothing });
  const none = async () => undefined;
  const platform = {
    'alga:extension/context': { getContext: none },
    'alga:extension/config': { get: none, getAll: none },
    'alga:extension/secrets': { get: async () => SECRET, listKeys: none },
    'alga:extension/http': { fetch: none },
    'alga:extension/storage': { get: none, put: none, delete: none, listEntries: none },
    'alga:extension/logging': { logInfo: none, logWarn: none, logError: none },
  };
  const imports = { ...platform, ...wasi };
  return timesOf(samples, async () => {
    const instance = await instantiate(
      (name) => compiled.get(name) as WebAssembly.Module,
      imports,
      (module, coreImports) => new WebAssembly.Instance(module, coreImports),
    );
    const { body } = await instance.handler(request);
    return new TextDecoder().decode(body);
  });
}

const commands = { extism, isolatedVm, jco };
export type PeerCommands = typeof commands;
answerCommands(commands);
