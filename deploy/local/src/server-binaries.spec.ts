import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

// apt-get and dpkg-deb are stand-in programs here: the rules about when they are asked, and how often, need no network.
const SERVER = `#!/bin/sh\necho "nats-server: v9.8.7"\n`;
const DPKG = `#!/bin/sh\nmkdir -p "$3/usr/sbin" && cp "$2" "$3/usr/sbin/nats-server" && chmod 755 "$3/usr/sbin/nats-server"\n`;
const module = path.join(import.meta.dirname, 'server-binaries.ts');

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('ensureServers without an installed server', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-servers-'));
    await mkdir(path.join(dir, 'bin'));
    await writeFile(path.join(dir, 'server'), SERVER);
    await program('dpkg-deb', DPKG);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const program = async (name: string, source: string) => {
    await writeFile(path.join(dir, 'bin', name), source);
    await chmod(path.join(dir, 'bin', name), 0o755);
  };
  const aptGet = (download: string) =>
    program(
      'apt-get',
      `#!/bin/sh\necho "$*" >> "${dir}/calls"\ncase "$*" in *update*) touch "${dir}/lists"; exit 0;; esac\n${download}\ncp "${dir}/server" nats-server_9.8.7.deb\n`,
    );
  const calls = async () => (await readFile(path.join(dir, 'calls'), 'utf8')).trim().split('\n');
  /** In a process of its own, whose PATH holds the stand-ins. */
  const ensure = async () => {
    const source = `
      import { ensureServers } from ${JSON.stringify(module)};
      const options = { servers: ['nats-server'], runtimeDir: ${JSON.stringify(path.join(dir, 'runtime'))}, searchPath: '' };
      const answer = await ensureServers(options).then((found) => found.get('nats-server'), (error) => error.message);
      console.log(JSON.stringify(answer));`;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: `${dir}/bin:/usr/bin:/bin` } });
    return JSON.parse(stdout) as unknown;
  };

  it('is unpacked once, however many processes ask at the same time, and not again afterwards', async () => {
    await aptGet('');
    const answers = await Promise.all([ensure(), ensure(), ensure()]);
    for (const answer of [...answers, await ensure()]) {
      expect(answer).toMatchObject({
        version: '9.8.7',
        command: expect.stringContaining(path.join(dir, 'runtime/servers')),
      });
    }
    expect(await calls()).toEqual(['download nats-server']);
  });

  it('fetches package lists into a private folder when there are none', async () => {
    await aptGet(`[ -e "${dir}/lists" ] || { echo "E: Unable to locate package nats-server" >&2; exit 100; }`);
    expect(await ensure()).toMatchObject({ version: '9.8.7' });
    const [first, update, second] = await calls();
    expect(first).toBe('download nats-server');
    expect(update).toMatch(/-o Dir::State::lists=\S+runtime\S+ .*update$/);
    expect(second).toMatch(/-o Dir::State::lists=\S+ .*download nats-server$/);
  });

  it('names the reason and both fixes in one sentence when it cannot be had', async () => {
    await aptGet('echo "E: no network" >&2; exit 100');
    expect(await ensure()).toBe(
      'nats-server is not on PATH and could not be unpacked from Debian packages (apt-get: E: no network): install it with your package manager, or set NATS_URL to a server that already runs.',
    );
  });

  it('does not take a program that does not run', async () => {
    await writeFile(path.join(dir, 'server'), '#!/bin/sh\nexit 127\n');
    await aptGet('');
    expect(await ensure()).toMatch(/the unpacked one does not run here/);
  });
});
