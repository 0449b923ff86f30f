// Writes components around core modules. As with core modules, nothing is checked.
import { type Bytes, join, section } from './core-module.ts';

export const COMPONENT_PREAMBLE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

export const COMPONENT_SECTION = { custom: 0, coreModule: 1, component: 4, canonical: 8, start: 9, value: 12 } as const;

export function component(...sections: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  return join([COMPONENT_PREAMBLE, ...sections]);
}

export function withModules(...modules: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  return component(...modules.map((module) => section(COMPONENT_SECTION.coreModule, module)));
}

/** As many components around each other, the innermost empty. */
export function nested(levels: number): Uint8Array<ArrayBuffer> {
  let inner = component();
  for (let level = 1; level < levels; level++) inner = component(section(COMPONENT_SECTION.component, inner));
  return inner;
}
