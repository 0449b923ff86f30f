import { existsSync } from 'node:fs';
import { artifactOfGlue, bodyOf, createHarness } from './fixtures/harness.ts';
import { HOSTILE_GLUE } from './fixtures/hostile-glue.ts';
import { programWith, spawnConfined } from './fixtures/program.ts';

describe('an attacker in place of the glue', () => {
  it('finds no process, module, file, network or code generation in the realm', async () => {
    const harness = createHarness(artifactOfGlue(new TextEncoder().encode(HOSTILE_GLUE)));
    try {
      expect(bodyOf(await harness.run('/'))).toEqual([]);
      expect(harness.faults).toEqual([]);
    } finally {
      await harness.engine.close();
    }
  });

  it.each([
    ['imports a module', "import 'node:fs'; export const instantiate = 0;"],
    ['throws', "throw new Error('at load');"],
    ['is not a module', '('],
    ['is not text', '\u{fffd}'],
  ])('is not loadable where it %s', async (_name, glue) => {
    const bytes = glue === '\u{fffd}' ? new Uint8Array([0xff, 0xfe]) : new TextEncoder().encode(glue);
    const harness = createHarness(artifactOfGlue(bytes));
    try {
      expect(await harness.run('/')).toMatchObject({ kind: 'not_loadable' });
    } finally {
      await harness.engine.close();
    }
  });
});

describe("an attacker in the sandbox's own realm", () => {
  it('is refused every way out by the flags and the lockdown', async () => {
    const child = spawnConfined(programWith('attacker.ts'));
    const exited = new Promise((resolve) => child.once('close', resolve));
    const found = await new Promise<Record<string, string>>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Record<string, string>));
      child.once('close', () => reject(new Error('the attacker ended without a report')));
    });
    await exited;
    // By the reason too: a connection that fails because nobody listens would prove nothing.
    const reasons = new Set([
      'ERR_ACCESS_DENIED',
      'ERR_DLOPEN_DISABLED',
      'EvalError',
      'GONE',
      'TypeError',
      'ERR_UNKNOWN_BUILTIN_MODULE',
    ]);
    expect(Object.entries(found).filter(([, reason]) => !reasons.has(reason))).toEqual([]);
    expect(Object.keys(found).length).toBeGreaterThanOrEqual(44);
    expect(
      Object.entries(found)
        .filter(([, reason]) => reason === 'TypeError')
        .map(([name]) => name),
    ).toEqual(['change Object.prototype']);
    expect(existsSync('/tmp/alga-escaped')).toBe(false);
  });
});
