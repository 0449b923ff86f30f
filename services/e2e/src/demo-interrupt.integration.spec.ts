import { createServer } from 'node:net';
import { jest } from '@jest/globals';
import { copyDemo, type DemoCopy } from './demo-run.ts';

jest.setTimeout(180_000);

// Who started whom is read from /proc.
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('npm run demo', () => {
  let demo: DemoCopy;
  beforeAll(async () => {
    demo = await copyDemo();
  });
  afterAll(() => demo?.remove());

  const summary = (line: string) => JSON.parse(line) as { ok: boolean; steps: { name: string; ok: boolean }[] };
  const failedSteps = (line: string) =>
    summary(line)
      .steps.filter(({ ok }) => !ok)
      .map(({ name }) => name);

  // Each run starts where the one before was interrupted, and the last one goes through: nothing that is left is in the way.
  it.each([
    ['servers start', 'creating the Postgres data folder', 'start servers and services'],
    ['services start', 'nats runs on port', 'start servers and services'],
    ['the component is built', 'building the component', 'build the sample from source and pack it'],
    ['calls are made', 'ok  first call', expect.stringMatching(/calls, one after the other/)],
  ])('leaves nothing behind when Ctrl-C is pressed while %s, and says so in one last line', async (_, moment, step) => {
    const run = demo.run('--exit');
    await run.printed(moment);
    run.ctrlC();
    const { code, stderr, lastLine, left } = await run.ended();
    expect(left).toEqual([]);
    expect(code).toBe(130);
    expect(stderr).toBe('');
    expect(summary(lastLine).ok).toBe(false);
    expect(failedSteps(lastLine)).toEqual([step]);
  });

  it('ends with a sentence, and leaves nothing behind, when the port that the sample calls is taken', async () => {
    const occupant = createServer().listen(demo.apiPort, '127.0.0.1');
    try {
      const { code, stderr, lastLine, left } = await demo.run('--exit').ended();
      expect(left).toEqual([]);
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`^\\nPort ${demo.apiPort} is taken, .+\\.\\nThe logs are in .+\\.\\n$`));
      expect(summary(lastLine).ok).toBe(false);
    } finally {
      await new Promise((resolve) => occupant.close(resolve));
    }
  });

  it('stays up until Ctrl-C, twice in a row if need be, after a run that held', async () => {
    const run = demo.run();
    await run.printed('Running until Ctrl-C.');
    run.ctrlC();
    run.ctrlC();
    const { code, stdout, stderr, left } = await run.ended();
    expect(left).toEqual([]);
    expect(stdout).not.toMatch(/^ {2}NO/m);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  it('says in one sentence that it does not know an option', async () => {
    const { code, stderr, left } = await demo.run('--exot').ended();
    expect({ code, left }).toEqual({ code: 1, left: [] });
    expect(stderr).toBe("\nUnknown option '--exot'. Usage: npm run demo -- [--exit] [--dir <folder>]\n");
  });
});
