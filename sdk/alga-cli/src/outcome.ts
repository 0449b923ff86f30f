import type { FieldError } from '@alga/contracts';

/** Why something was not done, for the person at the terminal. */
export interface Problem {
  /** refused: the input or the registry says no. usage: the command is wrong. unreachable: nothing answered. */
  readonly kind: 'refused' | 'usage' | 'unreachable';
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  /** What to do about it, one sentence. */
  readonly fix: string;
  /** Where it is, relative to the extension's folder. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  readonly errors?: readonly FieldError[];
  /** To report a refusal of the registry by. */
  readonly requestId?: string;
}

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: Problem };

export const done = <Value>(value: Value): Outcome<Value> => ({ ok: true, value });

export const refused = (problem: Omit<Problem, 'kind'>): { ok: false; problem: Problem } => ({
  ok: false,
  problem: { kind: 'refused', ...problem },
});

/** Receives a line about what goes on; called about once a second while something takes long. */
export type Progress = (line: string) => void;
