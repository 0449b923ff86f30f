import { createChecklist, type StageReport } from './checklist.ts';

describe('a checklist', () => {
  it('passes a stage when the next one begins, and the last one at the end, with the time each took', () => {
    const reports: StageReport[] = [];
    let now = 1_000;
    const checklist = createChecklist(
      () => now,
      (report) => reports.push(report),
    );
    checklist.begin('archive');
    now += 12.34;
    checklist.begin('manifest');
    expect(reports).toEqual([
      { stage: 'archive', state: 'begun' },
      { stage: 'archive', state: 'passed', ms: 12.3 },
      { stage: 'manifest', state: 'begun' },
    ]);
    now += 1;
    expect(checklist.finish()).toEqual([
      { name: 'archive', ok: true, ms: 12.3 },
      { name: 'manifest', ok: true, ms: 1 },
    ]);
    expect(reports.at(-1)).toEqual({ stage: 'manifest', state: 'passed', ms: 1 });
  });

  it('has nothing to say where nothing has begun', () => {
    expect(
      createChecklist(
        () => 0,
        () => {},
      ).finish(),
    ).toEqual([]);
  });
});
