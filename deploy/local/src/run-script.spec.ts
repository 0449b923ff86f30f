import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from './paths.ts';

const runScript = path.join(repositoryRoot, 'scripts/run.mjs');

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

// The file is plain JavaScript without types, because it must run before anything is installed.
const { refusal, installFailure, installedMatches } = (await import(pathToFileURL(runScript).href)) as {
  refusal: (machine: { nodeVersion: string; platform: string; arch: string }) => string | undefined;
  installFailure: (output: string, reason: string) => string;
  installedMatches: (wanted: Lock, installed: Lock) => boolean;
};

describe('scripts/run.mjs', () => {
  const machine = { nodeVersion: '20.11.1', platform: 'linux', arch: 'x64' };

  it.each([
    machine,
    { ...machine, nodeVersion: '26.10.0' },
    { ...machine, arch: 'arm64' },
    { ...machine, platform: 'darwin', arch: 'arm64' },
  ])('runs on a supported machine: %j', (supported) => {
    expect(refusal(supported)).toBeUndefined();
  });

  it.each([
    [{ ...machine, nodeVersion: '18.20.4' }, /Node 18\.20\.4 is too old: install Node 20 or newer/],
    [{ ...machine, nodeVersion: '8.0.0' }, /too old/],
    [{ ...machine, platform: 'win32' }, /WSL2/],
    [{ ...machine, arch: 'ia32' }, /linux on ia32 is not supported: use /],
    [{ ...machine, platform: 'freebsd' }, /freebsd on x64 is not supported/],
  ])('refuses another one with one sentence that names the fix: %j', (unsupported, sentence) => {
    expect(refusal(unsupported)).toMatch(sentence);
    expect(refusal(unsupported)).not.toContain('\n');
  });

  it('says a missing network in one sentence, and repeats npm for any other failure', () => {
    const offline = installFailure('npm error code ENOTFOUND\nnpm error network request failed', 'exit code 1');
    expect(offline).toMatch(/^The npm registry cannot be reached.*run the same command again\.$/);
    expect(installFailure('npm error code ENOSPC', 'exit code 228')).toMatch(/ENOSPC\n.*exit code 228/);
  });

  it('takes an install by hand for valid only if every package that can be there is there in the locked version', () => {
    const wanted: Lock = {
      packages: {
        '': {},
        'node_modules/a': { version: '1.0.0' },
        'node_modules/mac-only': { version: '2.0.0', optional: true },
      },
    };
    const installed = (packages: Lock['packages']) => installedMatches(wanted, { packages });
    expect(installed({ 'node_modules/a': { version: '1.0.0' } })).toBe(true);
    expect(installed({ 'node_modules/a': { version: '1.0.1' } })).toBe(false);
    expect(installed({})).toBe(false);
    expect(installed({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } })).toBe(false);
    expect(installed({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/mac-only': { version: '1.9.0' } })).toBe(
      false,
    );
  });

  describe('running a script', () => {
    let dir: string;
    beforeEach(async () => {
      dir = await mkdtemp(path.join(tmpdir(), 'alga-run-'));
    });
    afterEach(() => rm(dir, { recursive: true, force: true }));

    const start = async (source: string, ...args: string[]) => {
      const script = path.join(dir, 'script.ts');
      await writeFile(script, source);
      const child = spawn(process.execPath, [runScript, script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      let stderr = '';
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      const said = (text: string) =>
        new Promise<void>((resolve) => {
          child.stdout.on('data', () => stdout.includes(text) && resolve());
        });
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      return { child, ended, said, output: () => ({ stdout, stderr }) };
    };

    it('hands TypeScript, arguments and exit code through the pinned Node, without a warning', async () => {
      const run = await start(
        'const args: string[] = process.argv.slice(2); console.log(JSON.stringify([process.versions.node.split(".")[0], ...args])); process.exitCode = 3;',
        '--exit',
        'two words',
      );
      expect(await run.ended).toBe(3);
      expect(run.output()).toEqual({ stdout: '["26","--exit","two words"]\n', stderr: '' });
    });

    it('passes a signal on exactly once and waits for the script to end', async () => {
      const run = await start(`
        let seen = 0;
        process.on('SIGTERM', () => { seen++; setTimeout(() => { console.log('seen ' + seen); process.exit(0); }, 200); });
        console.log('up');
        setInterval(() => undefined, 1000);
      `);
      await run.said('up');
      run.child.kill('SIGTERM');
      run.child.kill('SIGTERM');
      expect(await run.ended).toBe(0);
      expect(run.output().stdout).toBe('up\nseen 1\n');
    });

    it('ends as a shell would when the script is killed', async () => {
      const run = await start("process.kill(process.pid, 'SIGKILL'); setInterval(() => undefined, 1000);");
      expect(await run.ended).toBe(137);
    });

    it.each([
      [[], ''],
      [['--exit'], '{"ok":false,"steps":[]}\n'],
    ])('says in one sentence that a script does not exist, and keeps the promise of %j', async (args, stdout) => {
      const child = spawn(process.execPath, [runScript, path.join(dir, 'none.ts'), ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const said = Promise.all([text(child.stdout), text(child.stderr)]);
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1);
      const [out, err] = await said;
      expect(err).toMatch(/^There is no script .*none\.ts: .*\.\n$/);
      expect(out).toBe(stdout);
    });
  });
});
