/** A failure for the person at the terminal: its sentence; where it can only be a bug of ours, the place in the code as well. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [error.message, ...error.errors.map(failureText)].filter((line) => line !== '').join('\n');
  }
  // `fetch` says all that it knows in its cause.
  if (error instanceof TypeError && error.cause instanceof Error)
    return `${error.message}: ${failureText(error.cause)}`;
  const isBug = [TypeError, RangeError, ReferenceError, SyntaxError].some((type) => error instanceof type);
  return isBug ? (error.stack ?? error.message) : error.message;
}
