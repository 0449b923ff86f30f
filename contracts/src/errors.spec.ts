import { AlgaError, ERRORS, type ErrorCode, isErrorCode } from './errors.ts';

const rows = Object.entries(ERRORS) as [ErrorCode, (typeof ERRORS)[ErrorCode]][];

describe('the error table', () => {
  it.each(rows)(
    '%s has a plain code, a refusing status, and says in sentences what it is and what to do',
    (code, row) => {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(row.status).toBeGreaterThanOrEqual(400);
      expect(row.status).toBeLessThan(600);
      expect(row.title).toMatch(/^[A-Z].*\.$/);
      expect(row.fix).toMatch(/^[A-Z].*\.$/);
    },
  );

  it('has a title of its own for each code', () => {
    expect(new Set(rows.map(([, { title }]) => title)).size).toBe(rows.length);
  });

  it.each(rows)('%s tells when to come back exactly if it may simply be repeated', (code, { retryable }) => {
    expect(new AlgaError(code).retryAfterMs).toEqual(retryable ? expect.any(Number) : undefined);
  });

  it('calls nothing retryable whose effect may already have happened', () => {
    for (const code of [
      'execution_unknown',
      'guest_trap',
      'guest_timeout',
      'guest_cpu_exceeded',
      'guest_limit_exceeded',
      'guest_out_of_memory',
    ] as const) {
      expect(new AlgaError(code).retryable).toBe(false);
    }
  });

  it.each(['__proto__', 'constructor', 'toString', '', 7, undefined])('does not take %p for a code', (value) => {
    expect(isErrorCode(value)).toBe(false);
  });
});
