import type { ErrorCode, FieldError } from '@alga/contracts';

/** Why a bundle was not published: the uploader's to correct. */
export interface Refusal {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
}

export const refuse = (code: ErrorCode, field: string, reason: string): Refusal => ({
  ok: false,
  code,
  errors: [{ field, reason }],
});
