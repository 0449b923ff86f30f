import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { ensureServers, startPostgres } from '@alga/local-stack';
import { ROOT, runTool } from './nx.ts';

// Every project's tests, two projects at a time, against real servers: one Postgres for all (each spec makes its own
// databases); NATS and Redis are started by the specs that need them. Arguments go to nx, for example
// `npm test -- --projects=@alga/runner`.

const RESULTS = `${ROOT}/.runtime/test-results`;
const PARALLEL = 2;

rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
await ensureServers({ progress: (line) => console.log(line) });
const postgres = await startPostgres({});
let status = 1;
try {
  const args = ['run-many', '-t', 'test', `--parallel=${PARALLEL}`, '--output-style=static', ...process.argv.slice(2)];
  status = await runTool('nx', args, { ALGA_TEST_DATABASE_URL: postgres.url, ALGA_TEST_RESULTS: RESULTS });
} finally {
  await postgres.stop();
}
const totals = readdirSync(RESULTS)
  .map(
    (file) =>
      JSON.parse(readFileSync(`${RESULTS}/${file}`, 'utf8')) as { passed: number; failed: number; skipped: number },
  )
  .reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }), {
    passed: 0,
    failed: 0,
    skipped: 0,
  });
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = status !== 0 || totals.failed > 0 || totals.passed === 0 ? 1 : 0;
