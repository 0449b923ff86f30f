/** What is wrong with bytes that claim to be WebAssembly. */
export type WasmFault =
  /** Not a WebAssembly binary, or one whose parts contradict each other. */
  | 'malformed'
  /** Larger or more entangled than the platform takes. */
  | 'too_complex'
  /** Well-formed, but needs something that guests do not get. */
  | 'unsupported';

/**
 * Thrown by the readers of this folder, deep in a binary, and caught where they are entered: {@link refusalOf}. The
 * message is made of our own words and numbers, never of bytes of the input.
 */
export class WasmRefused extends Error {
  readonly fault: WasmFault;
  constructor(fault: WasmFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface WasmRefusal {
  readonly ok: false;
  readonly code: WasmFault;
  readonly message: string;
}

/** Turns a refusal into data. @throws whatever else was thrown: a fault of ours. */
export function refusalOf(error: unknown): WasmRefusal {
  if (error instanceof WasmRefused) return { ok: false, code: error.fault, message: error.message };
  throw error;
}

export function malformed(message: string): never {
  throw new WasmRefused('malformed', message);
}

export function tooComplex(message: string): never {
  throw new WasmRefused('too_complex', message);
}

export function unsupported(message: string): never {
  throw new WasmRefused('unsupported', message);
}

/** Refuses a number above a named limit, in a sentence that says both. */
export function atMost(value: number, limit: number, what: string): void {
  if (value > limit) tooComplex(`${what}: ${value}, where ${limit} is the limit`);
}
