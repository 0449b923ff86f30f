// Writes components around core modules. As with core modules, nothing is checked.
import { u32 } from '../encode.ts';
import { type Bytes, concat, join, section, vector } from './core-module.ts';

export const COMPONENT_PREAMBLE: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];

export const COMPONENT_SECTION = {
  custom: 0,
  coreModule: 1,
  coreInstance: 2,
  component: 4,
  instance: 5,
  alias: 6,
  type: 7,
  canonical: 8,
  start: 9,
  import: 10,
  export: 11,
  value: 12,
} as const;

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

/** Sections of a component, by what they say. */
export const define = (module: Bytes) => section(COMPONENT_SECTION.coreModule, module);
export const within = (...sections: Bytes[]) => section(COMPONENT_SECTION.component, component(...sections));
export const instantiate = (module: number, times = 1) =>
  section(COMPONENT_SECTION.coreInstance, many(concat([0], u32(module), [0]), times));
export const instance = (of: number, times = 1) =>
  section(COMPONENT_SECTION.instance, many(concat([0], u32(of), [0]), times));
export const alias = (...content: number[]) => section(COMPONENT_SECTION.alias, vector([content]));
/** Of a core module, or of a component, of the component around. */
export const outerModule = (index: number) => alias(0x00, 0x11, 0x02, 1, index);
export const outerComponent = (index: number) => alias(0x04, 0x02, 1, index);

const many = (item: Bytes, times: number) => vector(new Array<Bytes>(times).fill(item));
