import type { CoreModule } from './core-module.ts';
import { LIMITS } from './limits.ts';
import { atMost, tooComplex } from './refused.ts';

/** A core module and its place among all of the binary, from 0. */
export interface NumberedModule {
  readonly number: number;
  readonly module: Pick<CoreModule, 'memories' | 'tables'>;
}

/**
 * What comes into being where a component is instantiated, with all that it instantiates in its turn. Each instance of a
 * core module has memories and tables of its own, and takes time that nothing interrupts.
 */
export class Instantiations {
  readonly #times = new Map<NumberedModule, number>();
  #coreInstances = 0;
  #instances = 0;

  /** One more instance of a core module. */
  addModule(module: NumberedModule): void {
    this.#add(module, 1);
  }

  /** One more instance of a component; of values that are put together, where it makes nothing. */
  addInstance(made?: Instantiations): void {
    this.#instances += 1 + (made === undefined ? 0 : made.#instances);
    atMost(this.#instances, LIMITS.instances, 'instances of components');
    if (made === undefined) return;
    for (const [module, times] of made.#times) this.#add(module, times);
  }

  #add(numbered: NumberedModule, more: number): void {
    const { number, module } = numbered;
    const times = (this.#times.get(numbered) ?? 0) + more;
    this.#times.set(numbered, times);
    // The sandbox makes one memory per module, out of what the install may have.
    const owned = module.memories.length > 0 ? 'memory' : module.tables.length > 0 ? 'table' : undefined;
    if (owned !== undefined && times > 1) {
      tooComplex(
        `core module ${number} defines a ${owned} and is instantiated ${times} times, where once is the limit`,
      );
    }
    this.#coreInstances += more;
    atMost(this.#coreInstances, LIMITS.coreInstances, 'instances of core modules');
  }
}
