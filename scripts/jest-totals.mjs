import { writeFileSync } from 'node:fs';

/** A jest reporter that leaves each project's totals in a file, so that one line can sum them up. */
export default class Totals {
  onRunComplete(_, { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites }) {
    const directory = process.env.ALGA_TEST_RESULTS;
    if (directory === undefined) return;
    const totals = {
      passed: numPassedTests,
      // A suite that could not even start has no tests to count.
      failed: numFailedTests + numRuntimeErrorTestSuites,
      skipped: numPendingTests,
    };
    writeFileSync(`${directory}/${process.pid}.json`, JSON.stringify(totals));
  }
}
