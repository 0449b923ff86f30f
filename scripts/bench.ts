import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FULL, NORMAL, QUICK } from './bench/engine/effort.ts';
import { benchEngine } from './bench/engine.ts';
import { type Report, renderReport } from './bench/figures.ts';
import { benchPath } from './bench/path.ts';

// `npm run bench` runs every benchmark, `npm run bench:NAME` one; `-- --json FILE` writes the reports. A missed target is
// a result, not an error: the exit code tells only whether it could be measured. The engine's takes `--quick`, to see
// whether it runs, and `--full`, for 300 samples of the slow figures too.

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' }, quick: { type: 'boolean' }, full: { type: 'boolean' } },
  allowPositionals: true,
});
const effort = values.quick ? QUICK : values.full ? FULL : NORMAL;

const BENCHMARKS: Readonly<Record<string, (progress: (line: string) => void) => Promise<Report>>> = {
  path: benchPath,
  engine: (progress) => benchEngine(progress, effort),
};

const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS);
const reports: Report[] = [];
for (const name of names) {
  const bench = BENCHMARKS[name];
  if (bench === undefined) {
    console.error(`There is no benchmark "${name}": choose from ${Object.keys(BENCHMARKS).join(', ')}.`);
    process.exit(2);
  }
  const result = await bench((line) => console.log(`${name}: ${line}`));
  reports.push(result);
  console.log(renderReport(result));
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify(reports.length === 1 ? reports[0] : reports, null, 2)}\n`);
}
