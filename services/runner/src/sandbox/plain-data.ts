// Used on both sides of the channel: the child does not send what is over the limit, the parent does not believe it.

import { isUint8Array } from 'node:util/types';

/** Deep enough for any WIT record; a deeper value is not one. */
const MAX_DEPTH = 8;
/** What a value costs beside its bytes, so that a million empty strings have a price. */
const NODE_BYTES = 16;

/**
 * Whether `value` is made of null, booleans, numbers, bigints, strings, byte arrays, arrays and plain objects only, and
 * is worth at most `maxBytes` (strings count their UTF-16 length).
 */
export function isPlainData(value: unknown, maxBytes: number): boolean {
  return cost(value, maxBytes, 0) <= maxBytes;
}

function cost(value: unknown, budget: number, depth: number): number {
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'number':
    case 'bigint':
      return NODE_BYTES;
    case 'string':
      return NODE_BYTES + value.length;
    case 'object':
      break;
    default:
      return Number.POSITIVE_INFINITY;
  }
  if (value === null) return NODE_BYTES;
  if (depth === MAX_DEPTH) return Number.POSITIVE_INFINITY;
  if (isUint8Array(value)) return NODE_BYTES + value.byteLength;
  const isArray = Array.isArray(value);
  if (!isArray && !isRecord(value)) return Number.POSITIVE_INFINITY;
  let sum = NODE_BYTES;
  for (const key of Object.keys(value)) {
    sum += (isArray ? 0 : key.length) + cost((value as Record<string, unknown>)[key], budget - sum, depth + 1);
    if (sum > budget) return Number.POSITIVE_INFINITY;
  }
  return sum;
}

function isRecord(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}
