import { HOST_FUNCTIONS } from '@alga/contracts';

const WORLD_IMPORT = /^\s*import\s+([a-z][a-z0-9-]*);\s*$/;

/** The interfaces that a manifest with these capabilities may import. */
export function allowedInterfaces(capabilities: readonly string[]): ReadonlySet<string> {
  return new Set(HOST_FUNCTIONS.filter((fn) => capabilities.includes(fn.capability)).map((fn) => fn.interface));
}

/**
 * The WIT with only the imports that the manifest allows. The toolchain imports every interface of the world, used or
 * not, and a component whose imports exceed its manifest is refused at publish (I6).
 */
export function narrowWorld(wit: string, interfaces: ReadonlySet<string>): string {
  return wit
    .split('\n')
    .filter((line) => {
      const name = WORLD_IMPORT.exec(line)?.[1];
      return name === undefined || interfaces.has(name);
    })
    .join('\n');
}
