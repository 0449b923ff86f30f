// One instance of a component: its core instances, their memories and globals, and the glue around them. After a clean
// call it is put back to the state in which it came into being (I4), for the price of a memory copy.

import type { CoreModule, GuestRequest } from './protocol.ts';
import type { Glue } from './realm.ts';

const PAGE_BYTES = 65_536;
/** Compared, and where it differs copied, at once. Smaller ones cost more calls than they save bytes. */
const CHUNK_BYTES = 16_384;
/** What a memory beside the largest one may grow by: scratch space of adapters, 1 MiB. */
const SIDE_MEMORY_PAGES = 16;
/** A component may instantiate its modules again and again. What tools make has four at most. */
const MAX_CORE_INSTANCES = 64;
/** Namespace of the imports and exports that the registry's patch adds (services/shared/artifact/src/wasm/patch.ts). */
const PATCH_NAMESPACE = 'alga:rt';
const GLOBAL_PREFIX = 'alga:g';

/** What instances are made of. */
export interface Blueprint {
  readonly glue: Glue;
  readonly modules: ReadonlyMap<string, WebAssembly.Module>;
  readonly layout: readonly CoreModule[];
  readonly imports: Readonly<Record<string, object>>;
  /** Shared memory whose first word interrupts the guest. */
  readonly interrupt: WebAssembly.Memory;
  readonly reusable: boolean;
}

/** The guest's memory is larger at its start than the install lets it be. */
export class StartsAboveLimit extends Error {}

/** Bytes of the memories at rest, shared by all instances of one blueprint that begin alike. */
export interface Template {
  readonly memories: readonly Uint8Array[];
}

export class Instance {
  readonly #handler: (request: unknown) => Promise<unknown>;
  readonly #restoreGlue: () => boolean;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #globals: readonly WebAssembly.Global[];
  readonly #globalValues: readonly unknown[];
  readonly #reusable: boolean;
  readonly template: Template;

  private constructor(parts: {
    readonly instance: Awaited<ReturnType<Glue['instantiate']>>;
    readonly memories: readonly WebAssembly.Memory[];
    readonly globals: readonly WebAssembly.Global[];
    readonly reusable: boolean;
    readonly template: Template | undefined;
  }) {
    const { instance, memories, globals } = parts;
    this.#handler = instance.handler;
    this.#memories = memories;
    this.#globals = globals;
    this.#globalValues = globals.map((global) => global.value);
    // The engine may change the bits of a NaN that passes through JS: the next call could tell.
    this.#reusable = parts.reusable && !this.#globalValues.some(Number.isNaN);
    this.template = sharedOrOwn(memories, parts.template);
    instance.state.save();
    this.#restoreGlue = () => instance.state.restore();
  }

  /**
   * Runs the guest's initialisation. Call it in a turn, so that it can be interrupted.
   * @param limitPages most that its memories together may come to.
   */
  static async create(blueprint: Blueprint, limitPages: number, template?: Template): Promise<Instance> {
    const { glue, modules, layout, imports, interrupt, reusable } = blueprint;
    const memories: WebAssembly.Memory[] = [];
    const globals: WebAssembly.Global[] = [];
    const maxima = memoryMaxima(layout, limitPages);
    const hasMemory = new Set<string>();
    let coreInstances = 0;
    const nameOf = new Map([...modules].map(([name, module]) => [module, name]));
    const instance = await glue.instantiate(
      (name) => {
        const module = modules.get(name);
        if (module === undefined) throw new Error('the glue asks for a module that the artifact does not have');
        return module;
      },
      imports,
      (module, coreImports = {}) => {
        const own: Record<string, WebAssembly.Memory> = { __proto__: null as never, interrupt };
        if (++coreInstances > MAX_CORE_INSTANCES) throw new Error('the component has too many core instances');
        const name = nameOf.get(module) ?? '';
        const maximum = maxima.get(name);
        if (maximum !== undefined) {
          // Its share of the limit is for one memory.
          if (hasMemory.has(name)) throw new Error('a module with a memory is instantiated twice');
          hasMemory.add(name);
          own.memory = glue.createMemory({ initial: maximum.initial, maximum: maximum.maximum });
          memories.push(own.memory);
        }
        const core = new WebAssembly.Instance(module, { ...coreImports, [PATCH_NAMESPACE]: own });
        for (const [name, exported] of Object.entries(core.exports)) {
          if (name.startsWith(GLOBAL_PREFIX)) globals.push(exported as WebAssembly.Global);
        }
        return core;
      },
    );
    return new Instance({ instance, memories, globals, reusable, template });
  }

  /** Bytes of linear memory. */
  get bytes(): number {
    return this.#memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  }

  call(request: GuestRequest): Promise<unknown> {
    return this.#handler(request);
  }

  /** Whether so little is left of the memory limit that a failure is taken for exhaustion. */
  isNearLimit(limitPages: number): boolean {
    // Allocators ask for more than what is left: 4 MiB, or an eighth of a small limit. A guess, for the report only.
    const nearPages = Math.min(64, limitPages / 8);
    return this.bytes >= (limitPages - nearPages) * PAGE_BYTES;
  }

  /** Back to the beginning. False: it cannot be, the instance is to be thrown away. */
  reset(): boolean {
    if (!this.#reusable) return false;
    for (const [index, memory] of this.#memories.entries()) {
      const template = this.template.memories[index];
      // A memory cannot shrink: one that has grown would tell the next call that it had.
      if (template === undefined || memory.buffer.byteLength !== template.byteLength) return false;
      putBack(memory, template);
    }
    for (const [index, global] of this.#globals.entries()) global.value = this.#globalValues[index];
    return this.#restoreGlue();
  }
}

// What a call did not touch is not written: a page that was never written takes no memory and no time. The first reset of an
// instance that writes them all takes 3 ms for QuickJS and 8 for StarlingMonkey, and twice the memory ever after (measured).
function putBack(memory: WebAssembly.Memory, template: Uint8Array): void {
  const now = Buffer.from(memory.buffer);
  const then = Buffer.from(template.buffer, template.byteOffset, template.byteLength);
  for (let start = 0; start < then.length; start += CHUNK_BYTES) {
    const end = Math.min(start + CHUNK_BYTES, then.length);
    if (then.compare(now, start, end, start, end) !== 0) then.copy(now, start, start, end);
  }
}

// Initialisation may draw random numbers or read the clock: instances that begin differently have a template each.
function sharedOrOwn(memories: readonly WebAssembly.Memory[], template: Template | undefined): Template {
  const isSame = (memory: WebAssembly.Memory, index: number): boolean => {
    const other = template?.memories[index];
    return other !== undefined && Buffer.compare(new Uint8Array(memory.buffer), other) === 0;
  };
  if (template !== undefined && memories.every(isSame)) return template;
  return { memories: memories.map((memory) => new Uint8Array(memory.buffer).slice()) };
}

/**
 * How far each memory may grow, so that all of them together stay within the limit.
 * @throws StartsAboveLimit where they start above it.
 */
export function memoryMaxima(layout: readonly CoreModule[], limitPages: number) {
  const defined = layout.flatMap(({ name, memory }) => (memory === null ? [] : [{ name, ...memory }]));
  const largest = defined.reduce((a, b) => (b.minPages > a.minPages ? b : a), { name: '', minPages: -1, maxPages: 0 });
  const maxima = new Map<string, { initial: number; maximum: number }>();
  let left = limitPages;
  for (const { name, minPages, maxPages } of defined) {
    if (name === largest.name) continue;
    const maximum = Math.min(maxPages, minPages + SIDE_MEMORY_PAGES);
    left -= maximum;
    maxima.set(name, { initial: minPages, maximum });
  }
  if (largest.name !== '') {
    if (largest.minPages > left) throw new StartsAboveLimit();
    maxima.set(largest.name, { initial: largest.minPages, maximum: Math.min(largest.maxPages, left) });
  }
  return maxima;
}
