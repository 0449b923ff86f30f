// What `npm run demo` runs, as a terminal runs it, in a copy of the folders that it writes to: beside a demo that runs already, with
// a component that has yet to be built, and with a tenth of the calls. Packages and services are the repository's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, waitUntil } from '@alga/local-stack';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const API_PORT = '8490';
const CALLS = /^(const (?:TIMED_CALLS|CALLS_\w+) = )([\d_]+);/gm;
const MOMENT_DEADLINE_MS = 90_000;
/** A service may take 30 s for its drain before it is killed; with nothing under way it takes none. */
const GONE_DEADLINE_MS = 40_000;
/** Presses Ctrl-C when a pipe to this process closes: a spec that is killed must not leave a demo that stays up. */
const LAST_WILL = 'trap "" HUP INT TERM; read _; kill -INT -- "-$1"';
const LOOK_EVERY_MS = 50;

export interface DemoCopy {
  /** Where the sample's API listens in this copy. */
  readonly apiPort: number;
  run(...args: readonly string[]): DemoRun;
  remove(): Promise<void>;
}

/** One run, from its start to the end of the last process that it started. */
interface DemoRun {
  /** Waits until it has printed the text. @throws Error with all that it printed when it ends, or 90 s pass, before. */
  printed(text: string): Promise<void>;
  /** As a terminal does: to the whole foreground group. */
  ctrlC(): void;
  /** Waits for its end, and tells what it left behind: processes, as pid and command line, and records of processes. */
  ended(): Promise<{ code: number | null; stdout: string; stderr: string; lastLine: string; left: string[] }>;
}

export async function copyDemo(): Promise<DemoCopy> {
  const apiPort = await freePort();
  const dir = await mkdtemp(join(ROOT, '.runtime/demo-'));
  await chmod(dir, 0o755); // Postgres may run as another user, below it
  const sample = 'sdk/samples/ticket-sync';
  await cp(join(ROOT, 'package.json'), join(dir, 'package.json'));
  await cp(join(ROOT, 'scripts'), join(dir, 'scripts'), { recursive: true });
  await cp(join(ROOT, sample), join(dir, sample), {
    recursive: true,
    filter: (path) => !/\/(?:dist|node_modules)$/.test(path),
  });
  await rewrite(join(dir, sample, 'manifest.json'), (text) => text.replaceAll(API_PORT, String(apiPort)));
  await rewrite(join(dir, 'scripts/demo/scenario.ts'), (text) =>
    text
      .replaceAll(API_PORT, String(apiPort))
      .replace(CALLS, (_, name: string, count: string) => `${name}${Number(count.replace('_', '')) / 10};`),
  );
  await linkPackages(dir);
  return {
    apiPort,
    run: (...args) => start(dir, args),
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(file, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`${file} has changed: what the copy of the demo rewrites is no longer there.`);
  await writeFile(file, after);
}

/** The packages themselves, one by one and marked as installed: nothing may ever install into the repository from here. */
async function linkPackages(dir: string): Promise<void> {
  const lock = '{}';
  await writeFile(join(dir, 'package-lock.json'), lock);
  await mkdir(join(dir, 'node_modules'));
  const names = (await readdir(join(ROOT, 'node_modules'))).filter((name) => name === '.bin' || !name.startsWith('.'));
  await Promise.all(names.map((name) => symlink(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name))));
  const stamp = createHash('sha256').update(lock).digest('hex');
  await writeFile(join(dir, 'node_modules/.alga-install-stamp'), stamp);
}

function start(dir: string, args: readonly string[]): DemoRun {
  const { NATS_URL, REDIS_URL, DATABASE_URL, VAULT_ADDR, ...env } = process.env;
  const first = spawn(process.execPath, ['scripts/run.mjs', 'scripts/demo.ts', ...args], {
    cwd: dir,
    env,
    detached: true, // its own group, as a shell gives each command
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  first.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  first.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const will = spawn('/bin/sh', ['-c', LAST_WILL, 'sh', String(first.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const family = watchFamily(first);
  let code: number | null | undefined;
  // `exit` and not `close`: what is left behind may hold the pipes.
  first.once('exit', (exitCode) => {
    code = exitCode;
    will.kill('SIGKILL');
  });
  const everything = () => `${output.stdout}\n${output.stderr}`;
  return {
    async printed(text) {
      const found = () => output.stdout.includes(text);
      await waitUntil(() => found() || code !== undefined, { deadlineMs: MOMENT_DEADLINE_MS });
      if (!found()) throw new Error(`The demo never printed "${text}", but:\n${everything()}`);
    },
    ctrlC() {
      process.kill(-(first.pid ?? 0), 'SIGINT');
    },
    async ended() {
      const isOver = await waitUntil(() => code !== undefined, { deadlineMs: MOMENT_DEADLINE_MS });
      if (!isOver) throw new Error(`The demo does not end. It printed:\n${everything()}`);
      const left = await family.left();
      const lines = output.stdout.trimEnd().split('\n');
      return { code: code ?? null, ...output, lastLine: lines.at(-1) ?? '', left };
    },
  };
}

/** Follows who started whom, from the first process on: once a parent has ended its children can no longer be told. */
function watchFamily(first: ChildProcess): { left(): Promise<string[]> } {
  const members = new Map<string, Seen>();
  const parents = new Set([first.pid ?? 0]);
  const look = async (): Promise<void> => {
    const running = await processes();
    const isOfTheFamily = ({ pid, parent, group }: Seen) =>
      parents.has(pid) || parents.has(parent) || parents.has(group);
    for (let added = true; added; ) {
      const news = running.filter((seen) => !members.has(identity(seen)) && isOfTheFamily(seen));
      for (const seen of news) {
        members.set(identity(seen), seen);
        parents.add(seen.pid);
      }
      added = news.length > 0;
    }
  };
  let looking = look();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_EVERY_MS);
  return {
    async left() {
      let still: string[] = [];
      await waitUntil(
        async () => {
          const running = new Set((await processes()).map(identity));
          const alive = [...members.values()].filter((seen) => running.has(identity(seen)));
          const records = (await readdir(join(ROOT, '.runtime/pids'))).filter((file) =>
            parents.has(Number(file.split('-')[0])),
          );
          still = [...alive.map(({ pid, command }) => `${pid} ${command}`), ...records];
          return still.length === 0;
        },
        { deadlineMs: GONE_DEADLINE_MS },
      );
      clearInterval(timer);
      await looking;
      return still;
    },
  };
}

interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly startTime: string;
  readonly command: string;
}

const identity = ({ pid, startTime }: Seen): string => `${pid} ${startTime}`;

/** Everybody who runs; a process that has ended and waits to be counted is nobody. proc(5) has the fields. */
async function processes(): Promise<Seen[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const seen = await Promise.all(
    pids.map(async (pid) => {
      try {
        const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
        const [state, parent, group, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z' || state === 'X') return undefined;
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
        return { pid: Number(pid), parent: Number(parent), group: Number(group), startTime: rest[16] ?? '', command };
      } catch {
        return undefined; // ended while we looked
      }
    }),
  );
  return seen.filter((process) => process !== undefined);
}
