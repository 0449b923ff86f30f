/// <reference path="../../../services/runner/src/sandbox/webassembly.d.ts" />
// Measures inside a process that is started with a sandbox's flags, with the sandbox's own classes and no parent to wait for.
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Call } from '../../../services/runner/src/sandbox/call.ts';
import { Component, type ComponentSource, type Host } from '../../../services/runner/src/sandbox/component.ts';
import { hostImports, type ImportNames } from '../../../services/runner/src/sandbox/host-imports.ts';
import { type Instance, memoryMaxima } from '../../../services/runner/src/sandbox/instance.ts';
import { Interruption, monotonicMs } from '../../../services/runner/src/sandbox/interruption.ts';
import type { GuestRequest } from '../../../services/runner/src/sandbox/protocol.ts';
import { evaluateGlue, type Glue } from '../../../services/runner/src/sandbox/realm.ts';
import { Turns } from '../../../services/runner/src/sandbox/turns.ts';
import { Handle, wasiImports } from '../../../services/runner/src/sandbox/wasi.ts';
import { answerCommands } from './commands.ts';

const WATCHDOG = new URL('../../../services/runner/src/sandbox/watchdog-thread.ts', import.meta.url);
const PATCH_NAMESPACE = 'alga:rt';
/** 64 MiB, the default limit. */
const MEMORY_PAGES = 1_024;
/** Until V8 has optimised what computes, in both components. */
const COMPUTE_WARM_UP = 100;
/** Memories of instances that are gone are collected so often, between two samples. */
const COLLECT_EVERY = 10;
const LIMITS = { wallMs: 60_000, cpuMs: 60_000, liftedBytes: 4_194_304, outputChars: 65_536 };
const SECRET = 's3cr3t-value-of-a-key';

interface Loaded {
  readonly component: Component;
  readonly source: ComponentSource;
  readonly glue: Glue;
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
}

const interruption = new Interruption();
const turns = new Turns<Call>(interruption);
const loaded = new Map<string, Loaded>();
const pooled = new Map<string, Instance>();
const held: Instance[] = [];
let host: Host | undefined;

const watchdog = new Worker(WATCHDOG, { workerData: interruption.watchdogData, env: {} });
await once(watchdog, 'message');
watchdog.unref();

const nothing = (): void => undefined;

/** Runs guest code as the sandbox does: in a turn of its own, accounted and interruptible. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const call = new Call(0, LIMITS, monotonicMs(), nothing);
  return new Promise((resolve, reject) => {
    turns.give(call, () => {
      work()
        .finally(() => {
          turns.end();
          call.end();
        })
        .then(resolve, reject);
    });
  });
}

function open(names: ImportNames): void {
  const platform = hostImports(names, turns, (call, seq) => call.waiting.get(seq)?.({ ok: true, value: SECRET }));
  const wasi = wasiImports({ write: nothing, charge: nothing, sleep: (ms) => wait(ms), abort: nothing });
  const imports = Object.freeze(Object.assign(Object.create(null) as Record<string, object>, platform, wasi));
  host = { turns, imports, interrupt: interruption.memory, started: Promise.resolve() };
}

const opened = (): Host => {
  if (host === undefined) throw new Error('not opened');
  return host;
};

async function glueOf({ entry, files }: ComponentSource): Promise<Glue> {
  const running = (): Call => {
    if (turns.current === undefined) throw new Error('glue ran outside a turn');
    return turns.current;
  };
  return evaluateGlue(new TextDecoder().decode(files.get(entry)), entry, {
    charge: (bytes) => running().charge(bytes),
    isHandle: (value) => value instanceof Handle,
    suspender: () => {
      const call = running();
      return (answer) => call.suspended(answer);
    },
    later: nothing,
  });
}

function compile({ files, modules }: ComponentSource): Map<string, WebAssembly.Module> {
  const bytesOf = (name: string) => files.get(name) as Uint8Array<ArrayBuffer>;
  return new Map(modules.map(({ name }) => [name, new WebAssembly.Module(bytesOf(name))]));
}

async function load(key: string, source: ComponentSource): Promise<void> {
  const modules = compile(source);
  loaded.set(key, { component: await Component.load(source, opened()), source, glue: await glueOf(source), modules });
}

function find(key: string): Loaded {
  const found = loaded.get(key);
  if (found === undefined) throw new Error(`${key} is not loaded`);
  return found;
}

/** An instance as whoever has no pool makes it: nothing is remembered for later. */
async function plainInstance({ glue, modules, source }: Loaded) {
  const { imports, interrupt } = opened();
  const maxima = memoryMaxima(source.modules, MEMORY_PAGES);
  const nameOf = new Map([...modules].map(([name, module]) => [module, name]));
  return glue.instantiate(
    (name) => modules.get(name) as WebAssembly.Module,
    imports,
    (module, coreImports = {}) => {
      const maximum = maxima.get(nameOf.get(module) ?? '');
      const memory = maximum === undefined ? undefined : glue.createMemory(maximum);
      return new WebAssembly.Instance(module, { ...coreImports, [PATCH_NAMESPACE]: { interrupt, memory } });
    },
  );
}

function check(response: unknown): void {
  const { status } = response as { status?: number };
  if (status !== 200) throw new Error(`the guest answered ${status}`);
}

const call = async (instance: Instance, request: GuestRequest): Promise<void> =>
  inTurn(async () => check(await instance.call(request)));

function reset(instance: Instance): void {
  if (!instance.reset()) throw new Error('the instance cannot be reset');
}

/** Milliseconds of each reset and each call of one instance, which the next block goes on with. */
async function resetCalls(key: string, request: GuestRequest, count: number) {
  const instance = pooled.get(key) ?? (await inTurn(() => find(key).component.instantiate(MEMORY_PAGES)));
  pooled.set(key, instance);
  const samples: { readonly resetMs: number; readonly callMs: number }[] = [];
  for (let index = 0; index < count; index++) {
    const begun = performance.now();
    reset(instance);
    const resetMs = performance.now() - begun;
    const callMs = await inTurn(() => timed(async () => check(await instance.call(request))));
    samples.push({ resetMs, callMs });
  }
  return samples;
}

/** Milliseconds of each fresh instance and its first call. */
async function freshCalls(key: string, request: GuestRequest, count: number): Promise<number[]> {
  const guest = find(key);
  const samples: number[] = [];
  for (let index = 0; index < count; index++) {
    samples.push(await inTurn(() => timed(async () => check(await (await plainInstance(guest)).handler(request)))));
    if (index % COLLECT_EVERY === 0) globalThis.gc?.();
  }
  return samples;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Processor time of one call of `a` in relation to one of `b`, by pair of samples. */
async function cpuRatios(a: string, b: string, request: GuestRequest, samples: number): Promise<number[]> {
  const instances = [];
  for (const key of [a, b]) instances.push(await inTurn(() => plainInstance(find(key))));
  const ratios: number[] = [];
  for (let sample = -COMPUTE_WARM_UP; sample < samples; sample++) {
    const used: number[] = [];
    for (const { handler } of instances) {
      const before = await settledCpuMs();
      await inTurn(async () => check(await handler(request)));
      used.push((await settledCpuMs()) - before);
    }
    if (sample >= 0) ratios.push((used[0] ?? 0) / (used[1] ?? 0));
  }
  return ratios;
}

/** Linux adds up a thread's time at each tick of 4 ms, and exactly where the thread goes to sleep. */
async function settledCpuMs(): Promise<number> {
  await wait(1);
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Makes instances that have served a call each and rest now, as those of a pool do. */
async function hold(key: string, request: GuestRequest, count: number): Promise<void> {
  for (let made = 0; made < count; made++) {
    const instance = await inTurn(() => find(key).component.instantiate(MEMORY_PAGES));
    await call(instance, request);
    reset(instance);
    held.push(instance);
  }
  globalThis.gc?.();
}

interface FirstCall {
  /** Milliseconds each. */
  readonly compile: number;
  readonly glue: number;
  readonly instantiate: number;
  readonly call: number;
}

/** What a first call is made of. Once per process: a second time everything is warm. */
async function firstCall(source: ComponentSource, request: GuestRequest): Promise<FirstCall> {
  const begun = performance.now();
  const modules = compile(source);
  const compiled = performance.now();
  const glue = await glueOf(source);
  const evaluated = performance.now();
  // Compiles nothing: V8 finds the modules of the same bytes, as long as somebody has them.
  const component = await Component.load(source, opened());
  const loadedAt = performance.now();
  const instance = await inTurn(() => component.instantiate(MEMORY_PAGES));
  const instantiated = performance.now();
  await call(instance, request);
  const called = performance.now();
  loaded.set('first', { component, source, glue, modules });
  return {
    compile: compiled - begun,
    glue: evaluated - compiled,
    instantiate: instantiated - loadedAt,
    call: called - instantiated,
  };
}

const commands = { open, load, resetCalls, freshCalls, cpuRatios, hold, firstCall };
export type InsideCommands = typeof commands;
answerCommands(commands);
