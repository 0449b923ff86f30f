import { runTool } from './nx.ts';

// What is published or deployed as a build: the runtime library and the sample's component. Services run from source.

process.exitCode = await runTool('nx', ['run-many', '-t', 'build', '--parallel=2', '--output-style=static']);
