import type { Call } from './call.ts';
import { guestError } from './guest-error.ts';
import { type Blueprint, Instance, type Template } from './instance.ts';
import type { CoreModule, FailureReason, GuestError } from './protocol.ts';
import { evaluateGlue } from './realm.ts';
import { ScriptMap } from './script-map.ts';
import type { Turns } from './turns.ts';
import { Handle } from './wasi.ts';

export interface ComponentSource {
  readonly entry: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly modules: readonly CoreModule[];
  readonly reusable: boolean;
  readonly sourceMap: string | null;
}

/** What all components of a sandbox share. */
export interface Host {
  readonly turns: Turns<Call>;
  readonly imports: Readonly<Record<string, object>>;
  readonly interrupt: WebAssembly.Memory;
  /** Resolves when the process is locked down: nothing of an artifact is evaluated before. */
  readonly started: Promise<void>;
}

/** A component that is compiled, and makes instances of itself. */
export class Component {
  readonly #blueprint: Blueprint;
  readonly #map: ScriptMap | undefined;
  #template: Template | undefined;

  private constructor(blueprint: Blueprint, map: ScriptMap | undefined) {
    this.#blueprint = blueprint;
    this.#map = map;
  }

  /** Compiles the core modules once and evaluates the glue. Throws where either is not what the registry produces. */
  static async load(source: ComponentSource, { turns, imports, interrupt, started }: Host): Promise<Component> {
    const { entry, files, modules: layout, reusable } = source;
    const glueBytes = files.get(entry);
    if (glueBytes === undefined) throw new Error('the entry is missing');
    const modules = new Map<string, WebAssembly.Module>();
    for (const { name } of layout) {
      const bytes = files.get(name);
      if (bytes === undefined) throw new Error('a core module is missing');
      // Synchronous and lazy: the asynchronous compiler never settled in some settings (measured).
      modules.set(name, new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>));
    }
    await started;
    const running = (): Call => {
      if (turns.current === undefined) throw new Error('glue ran outside a call');
      return turns.current;
    };
    const glue = await evaluateGlue(new TextDecoder('utf-8', { fatal: true }).decode(glueBytes), entry, {
      charge: (bytes) => running().charge(bytes),
      isHandle: (value) => value instanceof Handle,
      suspender: () => {
        const call = running();
        return (answer) => call.suspended(answer);
      },
      later: (task, ms) => {
        const call = running();
        call.after(ms, () => turns.give(call, task));
      },
    });
    const mapBytes = source.sourceMap === null ? undefined : files.get(source.sourceMap);
    const map = mapBytes && new ScriptMap(mapBytes);
    return new Component({ glue, modules, layout, imports, interrupt, reusable }, map);
  }

  /** @param limitPages most that the instance's memory may come to, in pages of 64 KiB. */
  async instantiate(limitPages: number): Promise<Instance> {
    const instance = await Instance.create(this.#blueprint, limitPages, this.#template);
    this.#template ??= instance.template;
    return instance;
  }

  /**
   * What the guest said of its own failure, in terms of its author's sources.
   * @param isInTime whether there is time left to read the source map.
   */
  explain(stderr: string, isInTime: boolean): GuestError | undefined {
    return guestError(stderr, isInTime ? this.#map : undefined);
  }
}

/** Why a call failed. */
export function failureOf(call: Call, error: unknown, exhausted: boolean): { reason: FailureReason; message: string } {
  if (call.liftedLeft < 0) return { reason: 'lifted_bytes_exceeded', message: '' };
  if (call.overrun !== undefined) return { reason: call.overrun, message: '' };
  return { reason: exhausted ? 'out_of_memory' : 'trap', message: trapText(error) };
}

// Only V8's own texts: any other message could hold what the guest was working on (I3).
function trapText(error: unknown): string {
  if (error instanceof WebAssembly.RuntimeError) return error.message;
  // Thrown in the glue's realm, the same error has another constructor.
  const { name, message } = (error ?? {}) as { name?: unknown; message?: unknown };
  if (name === 'RangeError') return 'stack or memory exhausted';
  return name === 'RuntimeError' && typeof message === 'string' ? message : '';
}
