/** V8's texts for WebAssembly traps. Nothing that a guest or its glue wrote is among them. */
const KNOWN: ReadonlySet<string> = new Set([
  'unreachable',
  'memory access out of bounds',
  'table index is out of bounds',
  'table access out of bounds',
  'divide by zero',
  'remainder by zero',
  'float unrepresentable in integer range',
  'integer overflow',
  'null function or function signature mismatch',
  'function signature mismatch',
  'indirect call to null',
  'invalid conversion to BigInt',
  'data segment out of bounds',
  'element segment out of bounds',
  'dereferencing a null pointer',
  'illegal cast',
  'array access out of bounds',
  'unaligned atomic operation',
  'stack or memory exhausted',
]);

/**
 * A trap text fit for logs and replies. The sandbox sends V8's own text, but an escaped guest could send a secret in its
 * place: only texts from the closed set pass (I3).
 */
export function trapMessage(claimed: string): string {
  return KNOWN.has(claimed) ? claimed : 'the guest failed';
}
