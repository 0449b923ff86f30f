import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BundledSource } from './bundle-source.ts';
import { initFailure } from './init-failure.ts';
import { done, type Outcome, type Progress, refused } from './outcome.ts';
import { readIfThere } from './project.ts';

// The tools start programs of their own, so all of them form one process group, which a shell in it ends when a pipe to us closes:
// at the deadline, and when we end, however. The limit on processor time is inherited and holds in any case.
const GUARDED = 'ulimit -t "$1"; shift; { read _; kill -KILL 0; } <&3 >/dev/null 2>&1 & exec "$@" 3<&-';
const CHILD = fileURLToPath(new URL('./componentize-child.ts', import.meta.url));
/** A build takes 3 to 8 s of processor time; an endless loop at the top of a module takes all it is given. */
const CPU_LIMIT_SECONDS = 60;
const DEADLINE_MS = 180_000;
const TAIL_BYTES = 4096;

/** Turns one JavaScript module into a component. */
export async function componentize(
  source: BundledSource,
  wit: string,
  progress: Progress,
): Promise<Outcome<Uint8Array>> {
  const work = await mkdtemp(join(tmpdir(), `alga-build-${process.pid}-`));
  const removeWork = () => rmSync(work, { recursive: true, force: true });
  process.once('exit', removeWork);
  try {
    const sourcePath = join(work, 'index.js');
    const witDir = join(work, 'wit');
    const outPath = join(work, 'out.wasm');
    const resultPath = join(work, 'result.json');
    await mkdir(witDir);
    await writeFile(join(witDir, 'world.wit'), wit);
    await writeFile(sourcePath, source.code);
    const { exit, tail } = await runChild([sourcePath, witDir, outPath, resultPath], work, progress);
    const text = await readIfThere(resultPath);
    if (text === undefined) return endedEarly(exit, tail);
    const result = JSON.parse(new TextDecoder().decode(text)) as { ok: true } | { ok: false; message: string };
    return result.ok ? done(await readFile(outPath)) : initFailure(result.message, source.map);
  } finally {
    process.off('exit', removeWork);
    removeWork();
  }
}

async function runChild(
  args: readonly string[],
  work: string,
  progress: Progress,
): Promise<{ exit: string; tail: string }> {
  const started = performance.now();
  const child = spawn('/bin/sh', ['-c', GUARDED, 'sh', String(CPU_LIMIT_SECONDS), process.execPath, CHILD, ...args], {
    // The engine names stack frames by the path from here to the source, and sees this folder during the build: so it is
    // the source's own, wherever alga is started.
    cwd: work,
    // TMPDIR: the tools leave files when they are interrupted. Nothing else: a token in the environment is not theirs.
    env: { PATH: process.env.PATH, TMPDIR: work, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    detached: true, // a group of its own
  });
  const guard = child.stdio[3] as Socket;
  guard.on('error', () => {}); // the other end may close first
  let tail = '';
  const keep = (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-TAIL_BYTES);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  progress('building the component (about 5 s)');
  const ticker = setInterval(() => {
    progress(`building the component, ${Math.round((performance.now() - started) / 1000)} s so far`);
  }, 1000);
  const deadline = setTimeout(() => guard.destroy(), DEADLINE_MS);
  try {
    const exit = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      // 'exit' and not 'close': what the child spawned may still hold its pipes.
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    return { exit, tail };
  } finally {
    clearInterval(ticker);
    clearTimeout(deadline);
    for (const pipe of child.stdio) pipe?.destroy();
  }
}

function endedEarly(exit: string, tail: string): Outcome<never> {
  return refused({
    code: 'build_failed',
    message: `The component build ended early (${exit}). ${tail.trim().split('\n').at(-1) ?? ''}`.trim(),
    fix: 'Run alga build again; if it fails again, report this message.',
  });
}
