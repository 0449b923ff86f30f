import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { identify, ownIdentity, type ProcessIdentity } from './process-identity.ts';
import { reapStale, writeRecord } from './process-records.ts';
import { ProcessStartError, startProcess } from './supervised-process.ts';
import { waitUntil } from './wait-until.ts';

const DEADLINE = { deadlineMs: 10_000 };
const FOREVER = 'setInterval(() => undefined, 1000);';
const noOwner: ProcessIdentity = { pid: 2 ** 22 + 1, startTime: '1', command: 'gone' };

describe('startProcess', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), 'alga-process-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const logged = () => readFile(path.join(dir, 'logs/stand-in.log'), 'utf8');
  const records = () => readdir(path.join(dir, 'pids')).catch(() => []);
  const gone = (pid: number) => waitUntil(async () => (await identify(pid)) === undefined, DEADLINE);
  const options = (source: string) => ({
    name: 'stand-in',
    command: process.execPath,
    args: ['-e', source],
    env: { ONLY: 'this' },
    logFile: path.join(dir, 'logs/stand-in.log'),
    deadlineMs: 10_000,
    runtimeDir: dir,
  });

  it('gives the child the named environment only, and its output to the log', async () => {
    const source = `console.log(JSON.stringify(process.env)); console.error('and stderr'); ${FOREVER}`;
    const isReady = async () => (await logged()).includes('and stderr');
    const child = await startProcess({ ...options(source), isReady });
    await child.stop();
    expect(await child.exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect(await logged()).toBe('{"ONLY":"this"}\nand stderr\n');
    expect(await records()).toEqual([]);
  });

  it('is ready when its URL answers 200, not before', async () => {
    let answers = 0;
    const server = createServer((_, response) => response.writeHead(++answers < 3 ? 503 : 200).end()).listen(
      0,
      '127.0.0.1',
    );
    await new Promise((resolve) => server.once('listening', resolve));
    const readyUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`;
    const child = await startProcess({ ...options(FOREVER), readyUrl });
    expect(answers).toBe(3);
    await child.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('rejects with exit code and the tail of its own log when it dies during the start', async () => {
    const dying = (text: string) =>
      startProcess({
        ...options(`console.error(${JSON.stringify(text)}); process.exit(7)`),
        isReady: async () => false,
      });
    await expect(dying('first run')).rejects.toThrow(ProcessStartError);
    const failure = await dying('setting X is missing').catch((error: ProcessStartError) => error);
    expect(failure).toMatchObject({ exit: { code: 7, signal: null }, logTail: 'setting X is missing' });
    expect((failure as Error).message).toBe(
      'stand-in ended during its start (exit code 7). Its log ends:\nsetting X is missing',
    );
    expect(await records()).toEqual([]);
  });

  it('rejects when the program does not exist', async () => {
    await expect(startProcess({ ...options(''), command: path.join(dir, 'none') })).rejects.toThrow(
      'stand-in cannot be started: ENOENT',
    );
  });

  it('leaves nothing running when it is not ready in time or the start is aborted', async () => {
    const pids: number[] = [];
    const notReady = async (pid: number) => {
      pids.push(pid);
      return false;
    };
    await expect(startProcess({ ...options(FOREVER), isReady: notReady, deadlineMs: 100 })).rejects.toThrow(
      'was not ready after 100 ms',
    );
    const reason = new Error('interrupted');
    const controller = new AbortController();
    const aborted = startProcess({
      ...options(FOREVER),
      signal: controller.signal,
      isReady: async (pid) => {
        controller.abort(reason);
        return notReady(pid);
      },
    });
    await expect(aborted).rejects.toBe(reason);
    expect(new Set(pids).size).toBe(2);
    for (const pid of pids) expect(await identify(pid)).toBeUndefined();
    expect(await records()).toEqual([]);
  });

  it('kills what does not end by itself within the grace, with everything it started', async () => {
    const source = `
      process.on('SIGTERM', () => undefined);
      const { spawn } = require('node:child_process');
      const grandchild = spawn(process.execPath, ['-e', ${JSON.stringify(FOREVER)}], { stdio: 'ignore' });
      console.log(String(grandchild.pid)); // FORCE_COLOR would paint a bare number
      ${FOREVER}`;
    const isReady = async () => /^\d+\n/.test(await logged());
    const child = await startProcess({ ...options(source), graceMs: 100, isReady });
    const grandchild = Number(await logged());
    await Promise.all([child.stop(), child.stop()]);
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await gone(grandchild)).toBe(true);
  });

  it('does not let the child outlive a parent that is killed', async () => {
    const source = `
      import { startProcess } from ${JSON.stringify(path.join(import.meta.dirname, 'supervised-process.ts'))};
      const child = await startProcess(${JSON.stringify(options(FOREVER))});
      console.log(String(child.pid));`;
    const parent = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', source],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      },
    );
    let pid = 0;
    try {
      pid = await new Promise<number>((resolve) => parent.stdout.once('data', (chunk) => resolve(Number(chunk))));
      expect(await identify(pid)).toBeDefined();
      const guard = Number(execFileSync('pgrep', ['-P', String(parent.pid), '-f', 'alga-guard']));
      // The shell has just been started: it is deaf to signals from its first command on, not before.
      const isDeaf = async () => {
        const ignored = /^SigIgn:\s+([0-9a-f]+)$/m.exec(await readFile(`/proc/${guard}/status`, 'utf8'))?.[1] ?? '0';
        return (BigInt(`0x${ignored}`) & 0x4003n) === 0x4003n;
      };
      expect(await waitUntil(isDeaf, DEADLINE)).toBe(true);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(guard, signal);
    } finally {
      process.kill(-(parent.pid ?? 0), 'SIGKILL');
    }
    expect(await gone(pid)).toBe(true);
    expect(await waitUntil(async () => (await records()).length === 0, DEADLINE)).toBe(true);
  });

  describe('reapStale', () => {
    const leftover = async (change: Partial<ProcessIdentity> = {}, owner: ProcessIdentity = noOwner) => {
      const child = spawn(process.execPath, ['-e', FOREVER], { stdio: 'ignore', detached: true });
      const identity = await identify(child.pid ?? 0);
      if (identity === undefined) throw new Error('the stand-in did not start');
      await writeRecord(dir, { ...identity, ...change, name: 'leftover', stopSignal: 'SIGTERM', owner });
      return { pid: identity.pid, end: () => child.kill('SIGKILL') };
    };

    it('ends a process whose owner is gone', async () => {
      const { pid } = await leftover();
      expect(await reapStale(dir)).toEqual(['leftover']);
      expect(await gone(pid)).toBe(true);
      expect(await records()).toEqual([]);
    });

    it.each([{ startTime: 'another' }, { command: 'another program' }])(
      'never touches a pid that is another process now: %j',
      async (change) => {
        const { pid, end } = await leftover(change);
        expect(await reapStale(dir)).toEqual([]);
        expect(await identify(pid)).toBeDefined();
        expect(await records()).toEqual([]);
        end();
      },
    );

    it('never touches a process whose owner still runs', async () => {
      const { pid, end } = await leftover({}, await ownIdentity());
      expect(await reapStale(dir)).toEqual([]);
      expect(await identify(pid)).toBeDefined();
      expect(await records()).toHaveLength(1);
      end();
    });
  });
});
