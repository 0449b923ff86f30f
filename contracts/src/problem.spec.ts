import fc from 'fast-check';
import { AlgaError, ERRORS, type ErrorCode, type ErrorDetails } from './errors.ts';
import { fromProblem, toProblem } from './problem.ts';
import { parse } from './validate.ts';

const code = fc.constantFrom(...(Object.keys(ERRORS) as ErrorCode[]));
const details: fc.Arbitrary<ErrorDetails> = fc.record(
  {
    errors: fc.array(fc.record({ field: fc.string(), reason: fc.string() }), { maxLength: 3 }),
    limit: fc.nat(),
    retryAfterMs: fc.nat(),
  },
  { requiredKeys: [] },
);

describe('a problem document', () => {
  it('carries an error across a process border whole, and matches its schema', () => {
    fc.assert(
      fc.property(code, fc.string(), details, (code, message, details) => {
        const error = new AlgaError(code, message, details);
        const problem = JSON.parse(JSON.stringify(toProblem(error, 'req-12345678')));
        expect(parse('problem', problem)).toEqual({ ok: true, value: problem });
        const { status, errors, limit, retryAfterMs } = fromProblem(problem);
        expect({ status, errors, limit, retryAfterMs }).toEqual({
          status: error.status,
          errors: error.errors,
          limit: error.limit,
          retryAfterMs: error.retryAfterMs,
        });
        expect(fromProblem(problem)).toMatchObject({ code, message });
      }),
    );
  });

  it('holds nothing of the cause, nor of an error that is not ours', () => {
    const cause = new Error('password hunter22');
    expect(JSON.stringify(toProblem(new AlgaError('unavailable', undefined, { cause })))).not.toContain('hunter22');
    expect(toProblem(cause)).toMatchObject({ code: 'internal', status: 500 });
    expect(JSON.stringify(toProblem(cause))).not.toContain('hunter22');
  });

  it.each(['invented', '__proto__', 'constructor'])('with the code %s stands for internal', (code) => {
    const problem = { type: 'about:blank', title: 't', status: 200, code, detail: 'd' };
    expect(fromProblem(problem)).toMatchObject({ code: 'internal', status: 500 });
  });
});
