import { decodeJson } from '@alga/contracts';

/** Name in a bundle, and in the artifact that is made of it. */
export const SOURCE_MAP = 'source.map';

/** In bytes. A bundle of 1 MB has a map of 2 to 3 MB with its sources in it. */
const MAX_SOURCE_MAP_BYTES = 8 * 1024 * 1024;

/**
 * Strings, lists and objects in it; a large bundle has some 10,000 names. What else 8 MiB can hold is 2.8 million empty lists,
 * whose parsing stops the process for a second (measured). The worst that passes takes 70 ms.
 */
const MAX_VALUES = 100_000;

/**
 * What is wrong with a source map (version 3, one map and no sections); undefined: nothing. Its mappings are not decoded
 * here: that is done in the sandbox of the tenant whose guest failed.
 */
export function sourceMapProblem(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_SOURCE_MAP_BYTES) return `is over ${MAX_SOURCE_MAP_BYTES} bytes`;
  if (countValues(bytes) > MAX_VALUES) return `has more than ${MAX_VALUES} values`;
  const json = decodeJson(bytes);
  if (!json.ok) return 'is not JSON';
  if (typeof json.value !== 'object' || json.value === null || Array.isArray(json.value)) return 'is not a JSON object';
  const { version, mappings, sources } = json.value as Record<string, unknown>;
  if (version !== 3) return 'has a version other than 3';
  if (typeof mappings !== 'string') return 'has mappings that are not a string';
  if (!Array.isArray(sources) || !sources.every((source) => typeof source === 'string')) {
    return 'has sources that are not a list of strings';
  }
  return undefined;
}

const [QUOTE, BACKSLASH] = ['"', '\\'].map((char) => char.charCodeAt(0));
/** Each stands before a value, or begins one. */
const BEFORE_VALUES = new Set([',', '[', '{'].map((char) => char.charCodeAt(0)));

/** An upper bound for JSON, found without parsing. Stops early where it is over the limit. */
function countValues(bytes: Uint8Array): number {
  let count = 1;
  let quoted = false;
  for (let at = 0; at < bytes.length && count <= MAX_VALUES; at++) {
    const byte = bytes[at] ?? 0;
    if (quoted) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (BEFORE_VALUES.has(byte)) count++;
  }
  return count;
}
