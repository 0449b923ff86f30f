import { runTool } from './nx.ts';

// Types, lint and formatting, import rules, generated files. Runs all of them, then fails if one did.

const steps: readonly { name: string; run: () => Promise<number> }[] = [
  { name: 'types', run: () => runTool('nx', ['run-many', '-t', 'check', '--parallel=2', '--output-style=static']) },
  { name: 'lint and formatting', run: () => runTool('biome', ['check', '--error-on-warnings', '.']) },
  {
    name: 'import rules',
    run: () =>
      runTool('depcruise', [
        '--config',
        '.dependency-cruiser.cjs',
        'contracts',
        'services',
        'sdk',
        'deploy',
        'scripts',
      ]),
  },
  { name: 'generated files and catalogue', run: () => runTool('node', ['scripts/generate.ts', '--check']) },
];

const results: { name: string; ok: boolean; seconds: number }[] = [];
for (const { name, run } of steps) {
  const started = performance.now();
  const ok = (await run()) === 0;
  results.push({ name, ok, seconds: (performance.now() - started) / 1000 });
}
for (const { name, ok, seconds } of results)
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
