import { renderProblem, renderSize, renderTime } from './report.ts';

const problem = { kind: 'refused', code: 'c', message: 'm', fix: 'f' } as const;

describe('renderProblem', () => {
  it('keeps text from a server on its line and away from the cursor', () => {
    const message = 'a\nerror forged: b\u001b[1Ac\u2028d\u0007';
    expect(renderProblem({ ...problem, message })).toBe('error c: a error forged: bc d \n  fix: f');
  });

  it('gives the place as file:line:column', () => {
    expect(renderProblem({ ...problem, file: 'a.ts', line: 1, column: 2 })).toContain('\n  at a.ts:1:2\n');
    expect(renderProblem({ ...problem, file: 'a.ts' })).toContain('\n  at a.ts\n');
  });
});

describe('renderSize and renderTime', () => {
  it('choose the unit by the size', () => {
    expect([1023, 1024, 1024 * 1024].map(renderSize)).toEqual(['1023 B', '1.0 KiB', '1.0 MiB']);
    expect([999, 1000].map(renderTime)).toEqual(['999 ms', '1.0 s']);
  });
});
