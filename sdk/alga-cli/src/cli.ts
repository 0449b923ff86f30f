import { run } from './program.ts';

// To exit, rather than to die, removes what a build has under way.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(`${text}\n`),
  // A line that is written over must not end.
  err: (text) => process.stderr.write(text.startsWith('\r') ? text : `${text}\n`),
  rewritesLines: process.stderr.isTTY === true,
});
