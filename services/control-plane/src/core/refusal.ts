import { AlgaError, type ErrorCode, type FieldError } from '@alga/contracts';

/** An expected "no": what the caller did not get, and why. Data, so that plans can be tested without catching. */
export interface Refusal {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  /** Public; the code's title if absent. */
  readonly message?: string;
  readonly errors?: readonly FieldError[];
  /** Bytes or items, where a limit was exceeded. */
  readonly limit?: number;
}

export const refuse = (
  code: ErrorCode,
  message?: string,
  details: Pick<Refusal, 'errors' | 'limit'> = {},
): Refusal => ({
  kind: 'refused',
  code,
  ...(message === undefined ? {} : { message }),
  ...details,
});

/** The refusal as the error that crosses process borders. */
export const toError = ({ code, message, errors, limit }: Refusal): AlgaError =>
  new AlgaError(code, message, {
    ...(errors === undefined ? {} : { errors }),
    ...(limit === undefined ? {} : { limit }),
  });
