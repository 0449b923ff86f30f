/** File names in an artifact: no separators, no leading dot, so that a name is never a path. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** More files than any component needs: glue plus a handful of core modules. */
export const MAX_FILES = 64;

/** Largest artifact, in bytes, all files together. */
export const MAX_TOTAL_BYTES = 128 * 1024 * 1024;

export function isPlainName(name: string): boolean {
  return PLAIN_NAME.test(name);
}
