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
 * Places that are mapped, and lines. Node's SourceMap decodes and sorts them in one go, while every guest of the sandbox
 * waits: in random order at most 92 ms for so many, and 110 ms for 200,000 (2 cores). A minified bundle of 750 KB has
 * 148,000.
 */
const MAX_SEGMENTS = 150_000;

/** Of the mappings. A segment has 6 in a real map; a number of any length would be decoded to its end. */
const MAX_MAPPING_CHARS = 10 * MAX_SEGMENTS;

/** Names and sources together: 100,000 sources take 50 ms more. A minified bundle of 750 KB has 5,700. */
const MAX_NAMES = 20_000;

/**
 * What is wrong with a source map (version 3, one map and no sections); undefined: nothing. Its mappings are not decoded
 * here: that is done in the sandbox of the tenant whose guest failed, and bounded here.
 */
export function sourceMapProblem(bytes: Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_SOURCE_MAP_BYTES) return `is over ${MAX_SOURCE_MAP_BYTES} bytes`;
  if (countValues(bytes) > MAX_VALUES) return `has more than ${MAX_VALUES} values`;
  const json = decodeJson(bytes);
  if (!json.ok) return 'is not JSON';
  if (typeof json.value !== 'object' || json.value === null || Array.isArray(json.value)) return 'is not a JSON object';
  const { version, mappings, sources, names = [], sections } = json.value as Record<string, unknown>;
  // Maps within the map, which nothing below would look at.
  if (sections !== undefined) return 'has sections: it must be one map';
  if (version !== 3) return 'has a version other than 3';
  if (typeof mappings !== 'string') return 'has mappings that are not a string';
  if (!isStrings(sources)) return 'has sources that are not a list of strings';
  if (!isStrings(names)) return 'has names that are not a list of strings';
  if (mappings.length > MAX_MAPPING_CHARS) return `has mappings of more than ${MAX_MAPPING_CHARS} characters`;
  if (countSegments(mappings) > MAX_SEGMENTS) return `has more than ${MAX_SEGMENTS} mappings`;
  if (sources.length + names.length > MAX_NAMES) return `has more than ${MAX_NAMES} names and sources`;
  return undefined;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** One more than there are separators, of places and of lines. */
function countSegments(mappings: string): number {
  let count = 1;
  for (const char of mappings) if (char === ',' || char === ';') count++;
  return count;
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
