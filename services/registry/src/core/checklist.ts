/** One check that the bundle passed, and how long it took, in milliseconds. */
export interface Check {
  readonly name: string;
  readonly ok: true;
  readonly ms: number;
}

/** What goes on, for whoever waits for it. */
export type StageReport =
  | { readonly stage: string; readonly state: 'begun' }
  | { readonly stage: string; readonly state: 'passed'; readonly ms: number };

/** Receives reports while they are true. May not throw. */
export type ReportStage = (report: StageReport) => void;

export interface Checklist {
  /** A stage has passed when the next one begins: what does not pass ends the publication. */
  begin(stage: string): void;
  /** The last stage has passed. @returns all of them, in order. */
  finish(): readonly Check[];
}

/** @param clock milliseconds of a monotonic clock. */
export function createChecklist(clock: () => number, report: ReportStage): Checklist {
  const checks: Check[] = [];
  let current: { readonly stage: string; readonly since: number } | undefined;
  const pass = (now: number): void => {
    if (current === undefined) return;
    const { stage, since } = current;
    const ms = Math.round((now - since) * 10) / 10;
    checks.push({ name: stage, ok: true, ms });
    current = undefined;
    report({ stage, state: 'passed', ms });
  };
  return {
    begin(stage) {
      const now = clock();
      pass(now);
      current = { stage, since: now };
      report({ stage, state: 'begun' });
    },
    finish() {
      pass(clock());
      return checks;
    },
  };
}
