import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '@alga/local-stack';
import { probeConfinement } from './confinement.ts';
import { sandboxFlags } from './spawn.ts';

const SOURCES = fileURLToPath(new URL('../', import.meta.url));
// A runner that has one sandbox, and says its pid when the guest in it has begun to loop.
const RUNNER = `
  const { programWith, spawnConfined } = await import(${JSON.stringify(`${SOURCES}engine/fixtures/program.ts`)});
  const child = spawnConfined(programWith('looper.ts'));
  child.once('message', () => console.log(String(child.pid)));
`;

const canDieWithItsParent = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0;

describe('a sandbox', () => {
  let runner: ChildProcess;
  let sandbox = 0;
  beforeEach(async () => {
    runner = spawn(process.execPath, ['--input-type=module', '-e', RUNNER], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (runner.stdout === null) throw new Error('the output of the runner is not piped');
    const [said] = (await once(runner.stdout, 'data')) as [Buffer];
    sandbox = Number(said.toString());
  });
  afterEach(() => {
    runner.kill('SIGKILL');
    // Never 0, which would be this process's own group.
    if (sandbox > 0 && runs(sandbox)) process.kill(sandbox, 'SIGKILL');
    sandbox = 0;
  });

  (canDieWithItsParent ? it : it.skip)('does not outlive its killed runner, though its guest loops', async () => {
    runner.kill('SIGKILL');
    await once(runner, 'exit');
    expect(await waitUntil(() => endedOrZombie(sandbox), { deadlineMs: 5_000 })).toBe(true);
  });

  (process.platform === 'linux' ? it : it.skip)('cannot dump its core (I3), nor have memory without end', async () => {
    const limits = await readFile(`/proc/${sandbox}/limits`, 'utf8');
    expect(limits).toMatch(/^Max core file size\s+0\s+0\s/m);
    expect(limits).toMatch(/^Max data size\s+[0-9]+\s+[0-9]+\s/m);
  });

  it('cannot change the flags of V8, of which some write files: V8 ends the process', () => {
    const change = "require('node:v8').setFlagsFromString('--stack-size=2000'); process.exit(0)";
    const { status, stderr } = spawnSync(process.execPath, [...sandboxFlags('/', 64), '-e', change]);
    expect(stderr.toString()).toContain('IsFrozen');
    expect(status).not.toBe(0);
  });

  (canDieWithItsParent ? it : it.skip)(
    'cannot gain privileges, and is another user where the runner is root',
    async () => {
      const status = await readFile(`/proc/${sandbox}/status`, 'utf8');
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      if (!probeConfinement().ownUser) return;
      expect(status).not.toMatch(/^Uid:\s+0\s/m);
      expect(status).toMatch(/^CapEff:\s+0+$/m);
      expect(status).toMatch(/^CapBnd:\s+0+$/m);
    },
  );
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Whoever inherits the orphan may take a moment to count it. */
async function endedOrZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') X');
  return ['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3));
}
