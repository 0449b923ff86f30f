/** Something about the glue that is not known, and could keep state. Thrown in this folder, caught by `sealGlue`. */
export class Obstacle extends Error {}

export function obstacle(what: string): never {
  throw new Obstacle(what);
}
