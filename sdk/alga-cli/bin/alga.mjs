#!/usr/bin/env node
// Plain JavaScript, so that an older Node can say what is wrong: it cannot read TypeScript.

const NEEDED = 26;

if (Number.parseInt(process.versions.node, 10) < NEEDED) {
  console.error(
    `alga needs Node ${NEEDED} or later, and this is ${process.version}. Run it as npx alga, which uses the project's own Node.`,
  );
  process.exitCode = 2;
} else {
  await import('../src/cli.ts');
}
